"""N+1s by the shape of the relation: each walks one kind of relation in the plainest way."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import (
    Session,
    joinedload,
    selectin_polymorphic,
    selectinload,
)

from tests.sql.scenarios import sqlmodels
from tests.sql.scenarios.models import (
    Album,
    Author,
    Car,
    Circle,
    Company,
    Depot,
    Employee,
    Engineer,
    Manager,
    Node,
    Post,
    Profile,
    Shelf,
    Vehicle,
)
from tests.sql.scenarios.record import COLUMN, Expect, Scenario, make_positive

SCENARIOS: list[Scenario] = []
positive = make_positive(SCENARIOS)


@positive(Expect("Author", "posts", 6), cured=2, reference=lambda: [selectinload(Author.posts)])
def one_to_many(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    result = []
    for author in authors:
        result.append([post.title for post in author.posts])  # <touch>
    return result


@positive(Expect("Author", "posts", 2), cured=2, reference=lambda: [selectinload(Author.posts)])
def only_two_parents(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).limit(2).options(*options))  # <query>
    return [len(author.posts) for author in authors]  # <touch>


@positive(Expect("Post", "author", 6), cured=1, reference=lambda: [joinedload(Post.author)])
def many_to_one_fewer_targets(session: Session, options: Any = ()) -> list[Any]:
    posts = session.scalars(select(Post).order_by(Post.id).options(*options)).all()  # <query>
    result = []
    for post in posts:
        result.append((post.title, post.author.name))  # <touch>
    return result


@positive(Expect("Post", "tags", 18), cured=2, reference=lambda: [selectinload(Post.tags)])
def many_to_many_set(session: Session, options: Any = ()) -> list[Any]:
    posts = session.scalars(select(Post).order_by(Post.id).options(*options)).all()  # <query>
    return [sorted(tag.name for tag in post.tags) for post in posts]  # <touch>


@positive(Expect("Circle", "members", 3), cured=2, reference=lambda: [selectinload(Circle.members)])
def many_to_many_list(session: Session, options: Any = ()) -> list[Any]:
    circles = session.scalars(select(Circle).order_by(Circle.id).options(*options)).all()  # <query>
    return [[author.name for author in circle.members] for circle in circles]  # <touch>


@positive(Expect("Author", "profile", 6), cured=1, reference=lambda: [joinedload(Author.profile)])
def one_to_one_without_the_key(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [author.profile.motto for author in authors]  # <touch>


@positive(Expect("Profile", "author", 6), cured=1, reference=lambda: [joinedload(Profile.author)])
def one_to_one_with_the_key(session: Session, options: Any = ()) -> list[Any]:
    profiles = session.scalars(select(Profile).order_by(Profile.id).options(*options)).all()  # <query>
    return [profile.author.name for profile in profiles]  # <touch>


@positive(Expect("Node", "children", 3), cured=2, reference=lambda: [selectinload(Node.children)])
def self_referential(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Node).where(Node.parent_id == 1).order_by(Node.id).options(*options)
    nodes = session.scalars(statement)  # <query>
    return [[child.name for child in node.children] for node in nodes]  # <touch>


def _tree(node: Node, depth: int) -> Any:
    if depth == 0:
        return node.name
    return [node.name, *(_tree(child, depth - 1) for child in node.children)]  # <touch>


@positive(
    Expect("Node", "children", (3, 4)),
    cured=4,
    reference=lambda: [selectinload(Node.children).selectinload(Node.children)],
    helpers=(_tree,),
)
def recursive_tree(session: Session, options: Any = ()) -> Any:
    root = session.scalars(select(Node).where(Node.parent_id.is_(None)).options(*options)).one()  # <query>
    return _tree(root, 2)


@positive(
    Expect("Node", "children", (9, 10)),
    cured=4,
    reference=lambda: [selectinload(Node.children, recursion_depth=-1)],
)
def whole_tree(session: Session, options: Any = ()) -> Any:
    def names(node: Node) -> list[Any]:
        return [node.name, *(names(child) for child in node.children)]  # <touch>

    root = session.scalars(select(Node).where(Node.parent_id.is_(None)).options(*options)).one()  # <query>
    return names(root)


@positive(Expect("Album", "tracks", 4), cured=2, reference=lambda: [selectinload(Album.tracks)])
def ordered_list(session: Session, options: Any = ()) -> list[Any]:
    albums = session.scalars(select(Album).order_by(Album.id).options(*options)).all()  # <query>
    return [[track.title for track in album.tracks] for album in albums]  # <touch>


@positive(Expect("Album", "by_title", 4), cured=2, reference=lambda: [selectinload(Album.by_title)])
def keyed_dict(session: Session, options: Any = ()) -> list[Any]:
    albums = session.scalars(select(Album).order_by(Album.id).options(*options)).all()  # <query>
    return [sorted(album.by_title) for album in albums]  # <touch>


@positive(Expect("Depot", "shelves", 4), cured=2, reference=lambda: [selectinload(Depot.shelves)])
def composite_key_collection(session: Session, options: Any = ()) -> list[Any]:
    statement = select(Depot).order_by(Depot.country, Depot.code).options(*options)
    depots = session.scalars(statement).all()  # <query>
    return [[shelf.id for shelf in depot.shelves] for depot in depots]  # <touch>


@positive(Expect("Shelf", "depot", 4), cured=1, reference=lambda: [joinedload(Shelf.depot)])
def composite_key_to_one(session: Session, options: Any = ()) -> list[Any]:
    shelves = session.scalars(select(Shelf).order_by(Shelf.id).options(*options)).all()  # <query>
    return [shelf.depot.country for shelf in shelves]  # <touch>


@positive(Expect("Author", "published", 6), cured=2, reference=lambda: [selectinload(Author.published)])
def custom_primaryjoin_viewonly(session: Session, options: Any = ()) -> list[Any]:
    authors = session.scalars(select(Author).order_by(Author.id).options(*options)).all()  # <query>
    return [[post.id for post in author.published] for author in authors]  # <touch>


@positive(Expect("Engineer", "tasks", 5), cured=2, reference=lambda: [selectinload(Engineer.tasks)])
def joined_inheritance_relation(session: Session, options: Any = ()) -> list[Any]:
    engineers = session.scalars(select(Engineer).order_by(Engineer.id).options(*options)).all()  # <query>
    return [[task.id for task in engineer.tasks] for engineer in engineers]  # <touch>


@positive(
    Expect("Employee|Engineer|Manager", "badges", 8),
    cured=2,
    reference=lambda: [selectinload(Employee.badges)],
)
def inherited_relation_of_a_polymorphic_result(session: Session, options: Any = ()) -> list[Any]:
    employees = session.scalars(select(Employee).order_by(Employee.id).options(*options)).all()  # <query>
    return [[badge.id for badge in employee.badges] for employee in employees]  # <touch>


@positive(
    Expect("Engineer|Employee", "badges", 5), cured=2, reference=lambda: [selectinload(Engineer.badges)]
)
def inherited_relation_of_the_subclass(session: Session, options: Any = ()) -> list[Any]:
    engineers = session.scalars(select(Engineer).order_by(Engineer.id).options(*options)).all()  # <query>
    return [[badge.id for badge in engineer.badges] for engineer in engineers]  # <touch>


@positive(
    Expect("Engineer", "language", 5, kinds=COLUMN),
    Expect("Manager", "budget", 3, kinds=COLUMN, touch="other"),
    cured=3,
    reference=lambda: [selectin_polymorphic(Employee, [Engineer, Manager])],
)
def columns_of_subclasses(session: Session, options: Any = ()) -> list[Any]:
    employees = session.scalars(select(Employee).order_by(Employee.id).options(*options)).all()  # <query>
    result: list[Any] = []
    for employee in employees:
        if isinstance(employee, Engineer):
            result.append(employee.language)  # <touch>
        elif isinstance(employee, Manager):
            result.append(employee.budget)  # <other>
    return result


@positive(
    Expect("Engineer", "tasks", 5),
    cured=3,
    reference=lambda: [selectin_polymorphic(Employee, [Engineer]).options(selectinload(Engineer.tasks))],
)
def subclass_relation_of_a_polymorphic_result(session: Session, options: Any = ()) -> list[Any]:
    employees = session.scalars(select(Employee).order_by(Employee.id).options(*options)).all()  # <query>
    return [len(each.tasks) for each in employees if isinstance(each, Engineer)]  # <touch>


@positive(
    Expect("Car", "wheels", 4),
    cured=3,
    reference=lambda: [selectin_polymorphic(Vehicle, [Car]).options(selectinload(Car.wheels))],
)
def single_table_inheritance(session: Session, options: Any = ()) -> list[Any]:
    vehicles = session.scalars(select(Vehicle).order_by(Vehicle.id).options(*options)).all()  # <query>
    return [len(each.wheels) for each in vehicles if isinstance(each, Car)]  # <touch>


@positive(Expect("Company", "employees", 2), cured=2, reference=lambda: [selectinload(Company.employees)])
def collection_of_polymorphic(session: Session, options: Any = ()) -> list[Any]:
    companies = session.scalars(select(Company).order_by(Company.id).options(*options)).all()  # <query>
    return [[employee.name for employee in company.employees] for company in companies]  # <touch>


@positive(
    Expect("Team", "heroes", 3),
    cured=2,
    reference=lambda: [selectinload(sqlmodels.Team.heroes)],  # type: ignore[arg-type]
)
def sqlmodel_collection(session: Session, options: Any = ()) -> list[Any]:
    teams = session.scalars(select(sqlmodels.Team).order_by(sqlmodels.Team.id).options(*options)).all()  # type: ignore[arg-type]  # <query>
    return [[hero.name for hero in team.heroes] for team in teams]  # <touch>


@positive(
    Expect("Hero", "team", 3),
    cured=1,
    reference=lambda: [joinedload(sqlmodels.Hero.team)],  # type: ignore[arg-type]
)
def sqlmodel_to_one(session: Session, options: Any = ()) -> list[Any]:
    heroes = session.scalars(select(sqlmodels.Hero).order_by(sqlmodels.Hero.id).options(*options)).all()  # type: ignore[arg-type]  # <query>
    return [hero.team.name for hero in heroes if hero.team]  # <touch>
