"""The order of the day: which scenes are played, and that a broken one stops no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simulators.demo.day import Day
from simulators.demo.process import ProcessFailed
from simulators.demo.scenes import counter, gift_cards, misfortune
from simulators.demo.screen_model import PromiseBroken, Step
from simulators.register.till import NoAnswerError


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that happens at a till."""

    title: str
    play: Callable[[Day], Awaitable[None]]


async def open_the_shop(day: Day) -> None:
    """Start everything and wait until till, bridge and terminal have found each other."""
    day.screen_model.steps = [Step(scene.title) for scene in SCENES]
    day.says("The shop opens", "A broker, a card terminal, a back office and a till are set up.")
    await day.environment.start_world()
    day.says("The shop opens", "Now the service itself, as in a store: `paybridge run`.")
    await day.environment.start_service()
    await day.until_open()


async def play(day: Day) -> list[str]:
    """Play all scenes and return what was not kept; a broken one does not stop the others."""
    broken = []
    for scene, step in zip(SCENES, day.screen_model.steps, strict=True):
        step.state = "running"
        day.screen_model.document = None
        day.screen_model.changed()
        try:
            await scene.play(day)
        except (PromiseBroken, ProcessFailed, NoAnswerError) as error:
            step.state = "broken"
            broken.append(f"{scene.title}: {error}")
            day.screen_model.tell(f"BROKEN {scene.title}: {error}")
        else:
            step.state = "kept"
            day.screen_model.changed()
    return broken


SCENES = (
    Scene("Log in with a code", counter.log_in),
    Scene("A sale, recorded", counter.sell),
    Scene("The bank declines", counter.decline),
    Scene("The cashier cancels", counter.cancel),
    Scene("Goods come back", counter.refund),
    Scene("A gift card is filled", gift_cards.fill),
    Scene("Gift card and card", gift_cards.split),
    Scene("The cable is pulled", misfortune.pull_the_cable),
    Scene("Back office away", misfortune.lose_the_back_office),
    Scene("kill -9 in mid-payment", misfortune.kill_the_service),
    Scene("The till repeats itself", counter.repeat_the_command),
    Scene("End of day", counter.close_the_day),
)
