import asyncio

import pytest

from flows.slots import Slots, count_slots, find_gpus, hold_gpus
from pixelwise.file_lock import hold_lock


def most_beside(work, count):
    """Run `work`, a list of is_alone, in `count` slots: for each, how many ran while it did, itself included."""

    async def run():
        slots = Slots(count)
        running, most = set(), {}

        async def one(number, is_alone):
            async with slots.take(is_alone):
                running.add(number)
                for other in running:
                    most[other] = max(most.get(other, 0), len(running))
                await asyncio.sleep(0.02)
                running.remove(number)

        await asyncio.wait_for(asyncio.gather(*(one(n, alone) for n, alone in enumerate(work))), timeout=10)
        return [most[number] for number in range(len(work))]

    return asyncio.run(run())


def test_no_more_run_than_there_are_slots():
    assert max(most_beside([False] * 6, count=2)) == 2


def test_what_measures_time_runs_alone_and_two_of_them_do_not_wait_for_ever():
    most = most_beside([False, True, False, True, False, False], count=3)
    assert (most[1], most[3]) == (1, 1)


def test_one_slot_is_one_at_a_time():
    assert most_beside([False, True, False], count=1) == [1, 1, 1]


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """The folder of a machine with two GPUs."""
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    monkeypatch.setattr("flows.slots.DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("named", "numbers"), [(None, "01"), ("", ""), ("1", "1"), ("1, 0", "01"), ("GPU-8932f937", "01"), ("7", "")]
)
def test_the_gpus_in_use_are_those_that_cuda_may_see(devices, named, numbers, monkeypatch):
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [device.name for device in find_gpus()] == [f"nvidia{number}" for number in numbers]
    assert count_slots() == (1 if numbers else 2)


def test_a_gpu_that_another_holds_is_waited_for_and_one_that_is_free_is_not(devices, monkeypatch):
    async def take(named):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        async with hold_gpus():
            taken.append(named)

    async def run():
        with hold_lock(devices / "nvidia0", waits=False):
            waiting = asyncio.create_task(take("0"))
            await asyncio.sleep(0)
            await take("1")
            assert taken == ["1"]
        await waiting

    taken: list[str] = []
    asyncio.run(asyncio.wait_for(run(), timeout=60))
    assert taken == ["1", "0"]
