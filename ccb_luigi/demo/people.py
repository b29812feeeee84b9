"""Invented borrowers: the fields of a document from ``clientId`` to ``bankData``.

Every choice comes from ``random()`` alone, the only method of ``random.Random`` whose sequence Python
promises to keep, so that a seed means the same everywhere. Names are put together at random from Faker's
lists, telephones are of the block 90000, mail goes to example.com: nobody is meant.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any, NamedTuple, TypeVar

from faker import Faker

from ccb_luigi.documents.identifiers import cnpj_digits, cpf_digits

Client = dict[str, Any]
T = TypeVar("T")

STRUCTURES = (
    "FIDC - Ipê Amarelo",
    "FIDC - Serra Azul",
    "FIDC - Modelo",
    "FIDC - Rio Exemplo",
    "FIDC - Maré Alta",
    "FIDC - Cerrado Fictício",
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CNPJ_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MARITAL = ("casado", "casado", "solteiro", "solteiro", "divorciado", "viúvo", "união estável")
_BANKS = ("001", "033", "104", "237", "341", "748", "756", "756")
_COMPLEMENTS = ("Apto 12", "Casa 2", "Fundos", "Bloco B", "Sala 301", "Km 14")
_ACTIVITIES = (
    "AGROPECUÁRIA",
    "AUTOPEÇAS",
    "COMÉRCIO DE ALIMENTOS",
    "CONFECÇÕES",
    "LATICÍNIOS",
    "MATERIAIS DE CONSTRUÇÃO",
    "MERCADO",
    "TRANSPORTES",
)
_RESIDENTIAL, _COMMERCIAL = "residencial", "comercial"

# fmt: off
_AREA_CODES = {
    "AC": 68, "AL": 82, "AM": 92, "AP": 96, "BA": 71, "CE": 85, "DF": 61, "ES": 27, "GO": 62,
    "MA": 98, "MG": 31, "MS": 67, "MT": 65, "PA": 91, "PB": 83, "PE": 81, "PI": 86, "PR": 41,
    "RJ": 21, "RN": 84, "RO": 69, "RR": 95, "RS": 51, "SC": 48, "SE": 79, "SP": 11, "TO": 63,
}
# fmt: on
_STATES = (*_AREA_CODES, *("SP",) * 8, *("MG",) * 8, *("PR",) * 5, *("RS",) * 4, *("BA", "GO", "SC") * 3)


class Words(NamedTuple):
    """What names and addresses are made of."""

    men: tuple[str, ...]
    women: tuple[str, ...]
    surnames: tuple[str, ...]
    streets: tuple[str, ...]
    districts: tuple[str, ...]
    cities: tuple[str, ...]
    companies: tuple[str, ...]


@cache
def words() -> Words:
    """Drawn from Faker once per process, always the same."""
    faker = Faker("pt_BR")
    faker.seed_instance(0)

    def draw(make: Callable[[], str], count: int) -> tuple[str, ...]:
        made = dict.fromkeys(make() for _ in range(count))
        return tuple(name for name in made if " de d" not in name)  # "da Rocha de da Mota"

    return Words(
        men=draw(faker.first_name_male, 600),
        women=draw(faker.first_name_female, 600),
        surnames=draw(faker.last_name, 600),
        streets=draw(lambda: faker.street_name().upper(), 1500),
        districts=draw(faker.bairro, 600),
        cities=draw(faker.city, 1000),
        companies=draw(lambda: faker.company().upper(), 1500),
    )


def below(random: Random, limit: int) -> int:
    """A whole number from 0 up to ``limit``, without it."""
    return int(random.random() * limit)


def chance(random: Random, share: float) -> bool:
    """True in this share of the calls."""
    return random.random() < share


def pick(random: Random, values: Sequence[T]) -> T:
    """One of the values, each as likely as the others."""
    return values[int(random.random() * len(values))]


def token(random: Random, length: int) -> str:
    """Letters and digits, as the source's identifiers have them."""
    draw = random.random
    return "".join([LETTERS[int(draw() * 62)] for _ in range(length)])


def client(random: Random) -> Client:
    """A new borrower: 85 % persons, 15 % companies."""
    return _person(random) if chance(random, 0.85) else _company(random)


def moved(random: Random, known: Client) -> Client:
    """The same borrower as another contract knows it: two in three with a new address or telephone."""
    again = deepcopy(known)
    change = below(random, 3)
    if change == 1:
        again["address"] = _addresses(random, again["state"], again["type"])
    elif change == 2:
        again["contacts"]["phone"] = _phone(random, again["state"])
    return again


def _person(random: Random) -> Client:
    list_of = words()
    woman = chance(random, 0.5)
    first = pick(random, list_of.women if woman else list_of.men)
    family = pick(random, list_of.surnames)
    mother_family = pick(random, list_of.surnames)
    state = pick(random, _STATES)
    base = f"{below(random, 10**9):09d}"
    found: Client = {
        "clientId": token(random, 27),
        "name": f"{first} {mother_family} {family}".upper(),
        "taxId": base + cpf_digits(base),
        "type": "PF",
        "birthDate": f"{1950 + below(random, 56)}-{1 + below(random, 12):02d}-{1 + below(random, 28):02d}",
        "maritalStatus": pick(random, _MARITAL),
        "identity": _identity(random, state),
        "birthPlace": pick(random, list_of.cities),
        "address": _addresses(random, state, "PF"),
        "pep": chance(random, 0.01),
        "structure": pick(random, STRUCTURES),
        "state": state,
        "motherName": f"{pick(random, list_of.women)} {mother_family}",
        "gender": "feminino" if woman else "masculino",
        "contacts": _contacts(random, state, first),
        "averageMonthlyIncome": 1500 + 100 * below(random, 160),
        "bankData": _accounts(random),
    }
    if chance(random, 0.08):
        del found["identity"]
    return found


def _company(random: Random) -> Client:
    list_of = words()
    state = pick(random, _STATES)
    name = f"{pick(random, _ACTIVITIES)} {pick(random, list_of.companies)}"
    if chance(random, 1 / 3):
        draw = random.random
        root = "".join([_CNPJ_CHARACTERS[int(draw() * 36)] for _ in range(8)])
        root = f"{root[:7]}{pick(random, _CNPJ_CHARACTERS[10:])}"  # one letter for certain
    else:
        root = f"{below(random, 10**8):08d}"
    base = f"{root}0001"
    return {
        "clientId": token(random, 27),
        "name": name,
        "taxId": base + cnpj_digits(base),
        "type": "PJ",
        "birthDate": None,
        "maritalStatus": None,
        "birthPlace": None,
        "address": _addresses(random, state, "PJ"),
        "pep": False,
        "structure": pick(random, STRUCTURES),
        "state": state,
        "motherName": None,
        "gender": None,
        "contacts": _contacts(random, state, "financeiro"),
        "averageMonthlyIncome": 20000 + 1000 * below(random, 400),
        "bankData": _accounts(random),
    }


def _identity(random: Random, state: str) -> Client:
    number = below(random, 10**8)
    return {
        "number": f"{number // 10**6:02d}.{number // 1000 % 1000:03d}.{number % 1000:03d}",
        "issuer": pick(random, ("SSP", "SSP", "SSP", "PC", "DETRAN")),
        "issuerState": state,
    }


def _addresses(random: Random, state: str, person: str) -> Client | list[Client]:
    """Mostly an object, sometimes a list, and then sometimes the other kind of address with it."""
    address = _address(random, state)
    if not chance(random, 0.15):
        return address
    kinds = (_RESIDENTIAL, _COMMERCIAL) if person == "PF" else (_COMMERCIAL, _RESIDENTIAL)
    listed = [{"type": kinds[0], **address}]
    if chance(random, 0.5):
        listed.append({"type": kinds[1], **_address(random, state)})
    return listed


def _address(random: Random, state: str) -> Client:
    list_of = words()
    found = {
        "zipCode": f"{below(random, 10**5):05d}-{below(random, 1000):03d}",
        "state": state,
        "city": pick(random, list_of.cities),
        "address": pick(random, list_of.streets),
        "neighbourhood": pick(random, list_of.districts),
        "number": str(below(random, 3000)),
    }
    if chance(random, 0.2):
        found["complement"] = pick(random, _COMPLEMENTS)
    return found


def _contacts(random: Random, state: str, first_name: str) -> Client:
    plain = unicodedata.normalize("NFKD", first_name).encode("ascii", "ignore").decode()
    email = f"{plain.lower().replace(' ', '.')}{below(random, 10**5)}@example.com"
    phone = _phone(random, state)
    several = chance(random, 0.15)
    return {
        "email": [email] if several else email,
        "phone": [phone, _phone(random, state)] if several else phone,
    }


def _phone(random: Random, state: str) -> str:
    return f"({_AREA_CODES[state]}) 90000-{below(random, 10**4):04d}"


def _accounts(random: Random) -> Client | list[Client]:
    if chance(random, 0.9):
        return _account(random)
    return [_account(random) for _ in range(1 + below(random, 2))]


def _account(random: Random) -> Client:
    branch, number = 1 + below(random, 9998), 1000 + below(random, 999_000)
    as_text = chance(random, 0.2)
    return {
        "branchNumber": f"{branch:04d}" if as_text else branch,
        "accountNumber": f"{number}-{number % 10}" if as_text else number,
        "bankNumber": pick(random, _BANKS),
    }
