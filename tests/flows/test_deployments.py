import yaml
from support.dvc_repository import PROJECT

from flows.deployments import DEPLOYMENTS, make_deployment


def test_each_deployment_of_the_project_is_served_as_it_is_typed_there(monkeypatch):
    monkeypatch.chdir(PROJECT)
    found = yaml.safe_load(DEPLOYMENTS.read_text())["deployments"]
    assert found
    for typed in found:
        deployment = make_deployment(typed)
        (schedule,) = deployment.schedules
        assert {"cron": schedule.schedule.cron, "timezone": schedule.schedule.timezone, "active": schedule.active} == {
            "active": True, **typed["schedules"][0],
        }  # fmt: skip
        # The slot of a run that died in a power cut would stay taken.
        assert (deployment.name, deployment.concurrency_limit) == (typed["name"], None)
