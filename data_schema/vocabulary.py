"""Words of the standard tables in Hungarian, Serbian and Slovenian: headers of columns, answers of questions."""

from __future__ import annotations

from data_schema.fields import Code

_CYRILLIC = "абвгдђежзијклљмнњопрстћуфхцчџш"
_LATIN = "a b v g d đ e ž z i j k l lj m n nj o p r s t ć u f h c č dž š"
_TO_LATIN = {ord(letter): latin for letter, latin in zip(_CYRILLIC, _LATIN.split(" "), strict=True)}

_HEADERS = {
    "school_id": ("шифра школе", "iskola azonosítója", "šifra šole"),
    "pupil_id": ("шифра ученика", "tanuló azonosítója", "šifra dijaka"),
    "consent": ("сагласност", "hozzájárulás", "soglasje"),
    "average_mark": ("просек оцена", "tanulmányi átlag", "povprečna ocena"),
    # school
    "school name": ("назив школе", "iskola neve", "ime šole"),
    "country": ("држава", "ország", "država"),
    "region": ("регион", "régió", "regija"),
    "settlement": ("насеље", "település", "naselje"),
    "type": ("врста школе", "iskolatípus", "vrsta šole"),
    "size": ("број ученика", "létszám", "število dijakov"),
    "prior_dropout_rate": ("ранија стопа напуштања", "korábbi lemorzsolódási arány", "prejšnji osip"),
    "prior_attainment": ("просек при упису", "felvételi átlag", "povprečje ob vpisu"),
    "share_disadvantaged": (
        "удео ученика из осетљивих група",
        "hátrányos helyzetűek aránya",
        "delež prikrajšanih dijakov",
    ),
    "director_since": ("директор од", "igazgató mióta", "ravnatelj od"),
    # pupil
    "name": ("име и презиме", "név", "ime in priimek"),
    "class": ("одељење", "osztály", "oddelek"),
    "grade": ("разред", "évfolyam", "letnik"),
    "birth_year": ("година рођења", "születési év", "leto rojstva"),
    "gender": ("пол", "nem", "spol"),
    "disadvantaged": ("осетљива група", "hátrányos helyzetű", "prikrajšan položaj"),
    "prior_average": ("ранији просек", "korábbi átlag", "prejšnje povprečje"),
    # status
    "status": ("статус", "jogviszony", "stanje"),
    "status_date": ("датум", "dátum", "datum"),
    "destination_confirmed": ("нова школа потврдила", "új iskola megerősítette", "nova šola potrdila"),
    # signals
    "month": ("месец", "hónap", "mesec"),
    "absences_justified": ("оправдани изостанци", "igazolt hiányzás", "opravičene ure"),
    "absences_unjustified": ("неоправдани изостанци", "igazolatlan hiányzás", "neopravičene ure"),
    "lateness": ("кашњења", "késés", "zamude"),
    "behaviour_notices": ("васпитне мере", "fegyelmi intézkedés", "vzgojni ukrepi"),
    "failing_subjects": ("недовољне оцене", "bukott tantárgyak", "negativne ocene"),
    "risk_flag": ("у ризику", "veszélyeztetett", "ogrožen"),
    # survey
    "engagement": ("ангажованост", "elköteleződés", "zavzetost"),
    "belonging": ("припадност", "összetartozás", "pripadnost"),
    "leave_intent": ("намера напуштања", "távozási szándék", "namera opustitve"),
    # implementation
    "team_meetings": ("састанци тима", "csapatmegbeszélések", "sestanki tima"),
    "mentor_visits": ("посете ментора", "mentori látogatások", "obiski mentorja"),
    "peer_events": ("вршњачки догађаји", "kortárs események", "vrstniški dogodki"),
    "plans_opened": ("отворени планови", "megnyitott tervek", "odprti načrti"),
    "plans_reviewed": ("прегледани планови", "felülvizsgált tervek", "pregledani načrti"),
    "cross_sector_contacts": ("међусекторски контакти", "ágazatközi kapcsolatok", "medsektorski stiki"),
    "afternoon_programmes": ("поподневни програми", "délutáni programok", "popoldanski programi"),
    "director_commitment": ("посвећеност директора", "igazgató elkötelezettsége", "zavzetost ravnatelja"),
    # costs
    "item": ("ставка", "tétel", "postavka"),
    "hours": ("сати", "óra", "ure"),
    "amount": ("износ", "összeg", "znesek"),
    "currency": ("валута", "pénznem", "valuta"),
    "price_year": ("година цена", "árszint éve", "leto cen"),
}

GENDER = (
    Code(
        "girl", "Girl", ("female", "lány", "nő", "devojčica", "девојчица", "ženski", "женски", "dekle", "ženska", "ž")
    ),
    Code("boy", "Boy", ("male", "fiú", "férfi", "dečak", "дечак", "muški", "мушки", "fant", "moški", "m")),
    Code("other", "Other", ("egyéb", "drugo", "друго")),
)
"""Without "f": it stands for a girl in English and for a boy ("fiú") in Hungarian, so it is asked about."""

STATUS = (
    Code("enrolled", "Enrolled", ("jogviszonyban", "upisan", "уписан", "upisana", "уписана", "vpisan", "vpisana")),
    Code(
        "transferred",
        "Transferred",
        (
            *("átiratkozott", "prešao", "прешао", "prešla", "прешла", "prepisan", "prepisana"),
            *("prešao u drugu školu", "прешао у другу школу", "prepisan na drugo šolo"),
        ),
    ),
    Code("completed", "Completed", ("végzett", "završio", "завршио", "završila", "завршила", "končal", "končala")),
    Code(
        "left_early",
        "Left early",
        (
            *("lemorzsolódott", "napustio", "напустио", "napustila", "напустила", "opustil", "opustila"),
            *("napustio školovanje", "напустио школовање", "opustil šolanje"),
        ),
    ),
    Code("unknown", "Unknown", ("ismeretlen", "nepoznato", "непознато", "neznano")),
)
SCHOOL_TYPE = (
    Code("vocational", "Vocational", ("szakképző", "technikum", "stručna", "стручна", "poklicna", "strokovna")),
    Code("general", "General", ("gimnázium", "gimnazija", "гимназија", "splošna")),
    Code("mixed", "Mixed", ("vegyes", "mešovita", "мешовита", "mešana")),
)
SETTLEMENT = (
    Code("city", "City", ("nagyváros", "grad", "град", "mesto")),
    Code("town", "Town", ("város", "varoš", "варош", "manji grad", "мањи град", "trg", "manjše mesto")),
    Code("village", "Village", ("község", "falu", "selo", "село", "vas")),
)


def headers_of(name: str, *, item: int | None = None) -> tuple[str, ...]:
    """Headers that schools write for a standard field: Serbian in Cyrillic and in Latin, Hungarian, Slovenian.

    Parameters
    ----------
    name
        Name of the field, or of the scale that it is an item of.
    item
        Number of the item, for items of a scale.

    Returns
    -------
    tuple of str
        Each spelling once. Serbian Latin is made from Cyrillic, the unambiguous direction.

    Examples
    --------
    >>> headers_of("engagement", item=2)[:2]
    ('ангажованост 2', 'angažovanost 2')
    """
    serbian, hungarian, slovenian = _HEADERS[name]
    words = (serbian, serbian.translate(_TO_LATIN), hungarian, slovenian)
    return tuple(dict.fromkeys(word if item is None else f"{word} {item}" for word in words))


def heading_of(name: str, language: str, *, about: str = "pupil") -> str:
    """Return what a language calls a standard field; empty for other fields and for English.

    Parameters
    ----------
    name
        Name of the field.
    language
        "hu", "sr", "sr-Latn", "sl"; any other is taken for English.
    about
        "school" where the field is of the table of schools, whose "name" is another.

    Examples
    --------
    >>> heading_of("engagement_2", "sl"), heading_of("birth_year", "sr-Latn"), heading_of("shoe_size", "hu")
    ('zavzetost 2', 'godina rođenja', '')
    """
    base, _, number = name.rpartition("_")
    words = _HEADERS.get("school name" if (name, about) == ("name", "school") else name)
    if words is None and number.isdecimal():
        words = _HEADERS.get(base)
        number = f" {number}"
    else:
        number = ""
    if words is None or language not in ("hu", "sr", "sr-Latn", "sl"):
        return ""
    serbian, hungarian, slovenian = words
    by_language = {"hu": hungarian, "sr": serbian, "sr-Latn": serbian.translate(_TO_LATIN), "sl": slovenian}
    return by_language[language] + number


def known_headers(name: str) -> tuple[str, ...]:
    """Return what the languages call a field of a standard name; nothing for any other name.

    Examples
    --------
    >>> known_headers("grade"), known_headers("shoe_size")
    (('évfolyam', 'разред', 'razred', 'letnik'), ())
    """
    words = (heading_of(name, language) for language in ("hu", "sr", "sr-Latn", "sl"))
    return tuple(dict.fromkeys(word for word in words if word))
