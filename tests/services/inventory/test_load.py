"""What the load asks for; run in processes of their own, since Locust patches its process."""

from pitstop_services.inventory import forms
from pitstop_services.inventory.api import ROUTERS
from tests.services.child import run


def test_scenarios_weigh_as_said() -> None:
    """Readers weigh 3:3:2:2, 5% of the mixed load counts, and the forms name classes that exist."""
    answer = run("""
        import collections, json
        from pitstop_services.inventory import load
        names = ("InventoryReader", "InventoryMixed")
        print(json.dumps({
            name: collections.Counter(task.__name__ for task in getattr(load, name).tasks) for name in names
        }))
    """)
    assert answer["InventoryReader"] == {
        "list_stock": 3,
        "scan": 3,
        "list_products": 2,
        "list_transactions": 2,
    }
    mixed = answer["InventoryMixed"]
    assert isinstance(mixed, dict)
    assert mixed["count_shelf"] / sum(mixed.values()) == 0.05
    assert set(forms.SCENARIOS.values()) <= set(answer)
    assert set(forms.FORMS) == set(ROUTERS)


def test_ids_fit_the_scale_of_the_host() -> None:
    """Stores are those of the host; products are those of as many copies as it has stores for."""
    answer = run("""
        import json
        from pitstop_services.inventory import load
        load._stores = lambda host: list(range(28))  # two copies
        stores, products = load.find_ids("http://inventory")
        print(json.dumps({"stores": len(stores.ids), "products": len(set(products.ids))}))
    """)
    assert answer == {"stores": 28, "products": 1008}


def test_a_load_that_writes_needs_a_token() -> None:
    """The mixed load says which variable to set, before it asks for anything."""
    answer = run("""
        import json
        from pitstop_services.inventory import load
        visitor = load.InventoryMixed.__new__(load.InventoryMixed)
        try:
            visitor.on_start()
        except RuntimeError as error:
            print(json.dumps({"said": str(error)}))
    """)
    assert "set PITSTOP_ADMIN_TOKEN" in str(answer["said"])
