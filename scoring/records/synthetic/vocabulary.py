"""Vocabulary of synthetic records: an invented greenhouse trade with companies, outlets and places.

Names are built from syllables and domains end in ``.example``, so that none is real.
"""

from __future__ import annotations

import re
from random import Random

SECTION = "Tessaril"
MAKER_NAME, MAKER_DOMAIN = "Wendlow", "wendlow.example"

TOPICS = (
    "Irrigation", "Soil Sensors", "Glasshouses", "Hydroponics", "Harvest Robots", "Frost Alerts",
    "Pollination", "Seed Banks", "Crop Models", "Vertical Farms", "Composting", "Orchards",
    "Pest Watch", "Light Spectra", "Grafting", "Water Rights", "Mycology", "Beekeeping",
    "Seed Exchange", "Cold Frames",
)  # fmt: skip

_ONSETS = ("Bra", "Cor", "Del", "Fen", "Gar", "Hal", "Ister", "Jor", "Kel", "Lorn", "Mar", "Nor",
           "Oster", "Pel", "Quil", "Ras", "Sel", "Tarn", "Ulver", "Vel", "Wist", "Yar", "Zan")  # fmt: skip
_MIDDLES = ("a", "o", "ba", "de", "fi", "ga", "la", "mo", "ne", "ri", "sta", "vo")
_ENDS = ("bick", "cray", "dorn", "fold", "gast", "holt", "lune", "mere", "nack", "quist",
         "rell", "skew", "thwick", "vane", "wick")  # fmt: skip
_OUTLETS = ("Ledger", "Almanac", "Courier", "Dispatch", "Furrow", "Grower", "Bulletin", "Notebook", "Post",
            "Review", "Seedbed", "Signal", "Trellis", "Weekly", "Wire", "Yard")  # fmt: skip

_FACTS = {
    "verb": ("opens", "unveils", "trims", "doubles", "pilots", "retires", "rethinks", "ships", "delays",
             "funds", "tests", "expands", "renames", "patents", "leases"),
    "thing": ("rooftop nursery", "mist controller", "root camera", "seedling tracker", "heat curtain",
              "night-light plan", "water ledger", "leaf scanner", "grafting arm", "moss filter",
              "greenhouse kit", "bee counter", "nutrient mixer", "frost siren", "pruning rig"),
    "place": ("Ostermere", "Velfold", "the Lornwick valley", "Halmoholt", "Quilladorn", "Norgamere",
              "the Selvane coast", "Fendelune", "Zanricray", "Pelstafold"),
    "aim": ("save water", "cut losses to frost", "ripen fruit evenly", "share seed stock", "plan a harvest",
            "keep bees close", "grow under cloud", "spare the soil", "waste less light", "train new hands"),
    "state": ("in trial", "in wide use", "open to all growers", "back in stock", "under review", "on hold"),
    "number": ("three", "four", "five", "six", "seven", "nine", "ten", "twelve"),
    "season": ("spring", "summer", "autumn", "winter", "dry-season", "harvest-time"),
}  # fmt: skip

# By (names the section, names a topic).
_TITLES = {
    (False, False): (
        "{company} {verb} its {thing} in {place}",
        "{company} and {partner}: one {thing}, {number} growers",
        "Why {company} {verb} a {thing} to {aim}",
        "The {thing} that helps {place} {aim}",
    ),
    (False, True): (
        "{topic}: {company} {verb} a {thing} in {place}",
        "How {company} learned to {aim} with {topic}",
        "{number} lessons on {topic} from growers in {place}",
        "{company} and {partner} take {topic} to {place}",
    ),
    (True, False): (
        "{section} {thing} is now {state}",
        "{company} {verb} a {thing} that runs on {section}",
        "How {company} uses {section} to {aim}",
        "{company} and {partner} bring {section} to {place}",
        "{section} & the {thing}: what growers in {place} should know",
        'Growers call it "{section} for all": the {thing} of {company}',
    ),
    (True, True): (
        "{section} {topic}: {thing} now {state}",
        "{company} {verb} {topic} service on {section}",
        "{topic} on {section}: {number} ways to {aim}",
        "{company} and {partner} pair {topic} with {section} in {place}",
    ),
}  # fmt: skip
_TITLE_TAILS = (
    " after {number} {season} trials",
    ", says the head of {partner}",
    " with help from {partner}",
    " as growers look for ways to {aim}",
    ", and smallholders in {place} hope it will {aim}",
)
_SENTENCES = (
    "{company} {verb} a {thing} in {place} this {season}.",
    "Growers who want to {aim} have waited {number} seasons for such a {thing}.",
    "The {thing} is {state}, and {partner} will show it to {number} co-operatives in {place}.",
    "Its makers say that the {thing} pays for itself within {number} months, sooner where people {aim}.",
    "What {company} learned in {place} may help others to {aim} & to keep costs down.",
    "A first look at the {thing}: simple to set up, {state}, and not yet cheap.",
)


def shuffled_names(rng: Random, count: int, kinds: tuple[str, ...] = ("",)) -> list[str]:
    """Draw ``count`` distinct invented names, each with one of the kinds as a suffix."""
    n_stems = len(_ONSETS) * len(_MIDDLES) * len(_ENDS)
    names = []
    for number in rng.sample(range(n_stems * len(kinds)), count):
        stem, kind = divmod(number, len(kinds))
        prefix, end = divmod(stem, len(_ENDS))
        onset, middle = divmod(prefix, len(_MIDDLES))
        names.append(f"{_ONSETS[onset]}{_MIDDLES[middle]}{_ENDS[end]} {kinds[kind]}".strip())
    return names


def outlet_names(rng: Random, count: int) -> list[str]:
    """Draw ``count`` distinct names of invented news outlets, at most 66,240."""
    return shuffled_names(rng, count, _OUTLETS)


def story_facts(rng: Random, companies: list[str]) -> dict[str, str]:
    """Draw the facts of a story: a value for each template field except section and topic."""
    company, partner = rng.sample(companies, 2)
    return {gap: rng.choice(words) for gap, words in _FACTS.items()} | {
        "company": company,
        "partner": partner,
    }


def angle(rng: Random, facts: dict[str, str]) -> dict[str, str]:
    """Vary the details of the facts, as another writer would."""
    return facts | {gap: rng.choice(_FACTS[gap]) for gap in ("verb", "aim", "number", "season")}


def compose_title(rng: Random, facts: dict[str, str], *, section: str, topic: str) -> str:
    """Compose a title from the facts; it names section and topic unless they are empty."""
    template = rng.choice(_TITLES[bool(section), bool(topic)])
    if rng.random() < 0.45:
        template += rng.choice(_TITLE_TAILS)
    title = template.format_map(facts | {"section": section, "topic": topic})
    return title[0].upper() + title[1:]


def compose_excerpt(rng: Random, facts: dict[str, str]) -> str:
    """Compose up to three sentences from the facts; 1 record in 25 has none."""
    draw = rng.random()
    n_sentences = 0 if draw < 0.04 else 1 if draw < 0.2 else 2 if draw < 0.6 else 3
    return " ".join(rng.sample(_SENTENCES, n_sentences)).format_map(facts)


def vary_title(rng: Random, title: str, outlet: str) -> str:
    """Vary the title of a press release as another outlet would print it."""
    draw = rng.random()
    if draw < 0.4:
        return title
    if draw < 0.6:
        return f"{title} | {outlet}"
    if draw < 0.8:
        return title.replace(" & ", " and ").replace("\u2019", "'")
    return re.sub(r"(?<= )[a-z]", lambda match: match.group().upper(), title)


def slug(text: str) -> str:
    """Convert a text to a part of a URL or file name, at most 60 characters.

    Examples
    --------
    >>> slug("Velfold & Co: one mist controller")
    'velfold-co-one-mist-controller'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].rstrip("-") or "news"
