import asyncio

from flows.slots import Slots


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
