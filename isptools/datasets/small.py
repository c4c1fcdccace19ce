"""What all miniatures have in common: the facts of a data set as they hold for pictures of code."""

from typing import Any

import msgspec

from isptools.datasets.card import Card, Rule


def of_code(card: Card, size: str, **more: Any) -> Card:
    """The card of a miniature: whose it is, and that nothing published is in it."""
    return msgspec.structs.replace(
        card,
        title=f"{card.title}: miniature made from code, not photographs",
        licence="Apache-2.0 (made by isptools; nothing of the data set is in it)",
        redistribution="allowed",
        downloads=(),
        size=size,
        rules=tuple(map(_rule, card.rules)),
        **more,
    )


def _rule(rule: Rule) -> Rule:
    sensor = rule.sensor
    if sensor:
        model = f"Miniature {sensor.make}".strip()
        sensor = msgspec.structs.replace(sensor, make="isptools", model=model)
    return msgspec.structs.replace(rule, pairs=None, sensor=sensor)
