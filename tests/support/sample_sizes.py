"""Countries, schools and pupils of the made-up trial; schools and pupils by arm, control first."""

from __future__ import annotations

COUNTRIES = {"HU": "Hungary", "RS": "Serbia", "SI": "Slovenia"}
SCHOOLS = {"": (31, 31), "HU": (13, 13), "RS": (10, 10), "SI": (8, 8)}
PUPILS = {"": (1712, 1689), "HU": (731, 702), "RS": (548, 561), "SI": (433, 426)}
