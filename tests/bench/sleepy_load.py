"""What users do to the server beside: one class for each thing, and one that mixes."""

from locust import FastHttpUser, TaskSet, constant, task

print("a locustfile may print")


class Sleeper(FastHttpUser):
    @task
    def sleep(self):
        self.client.get("/sleep", name="GET /sleep")


class Patient(FastHttpUser):
    wait_time = constant(60)

    @task
    class Deep(TaskSet):
        wait_time = constant(60)

        @task
        def sleep(self):
            self.client.get("/sleep")


class Asker(FastHttpUser):
    @task
    def ask(self):
        self.client.get("/ask")


class Failing(FastHttpUser):
    @task
    def fail(self):
        self.client.get("/fail")


class Half(FastHttpUser):
    @task
    def sleep(self):
        self.client.get("/sleep")

    @task
    def fail(self):
        self.client.get("/fail")


class Ends(FastHttpUser):
    def on_start(self):
        raise RuntimeError("no ids to ask for")

    @task
    def sleep(self):
        self.client.get("/sleep")
