# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network advertises, in one shape, held against what was declared. Private to the collection."""

from __future__ import annotations

import urllib.parse
from decimal import ROUND_FLOOR, Decimal, InvalidOperation

from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._go_livepeer import LIVE_PIPELINE, RELEASES

BYOC = 37
# Capability numbers of go-livepeer; the pipeline's name is also its route.
CAPABILITIES = {
    pipeline.capability: name for release in RELEASES.values() for name, pipeline in release.pipelines.items()
}
CAPABILITIES[BYOC] = "byoc"
WEI_PER_ETH = Decimal(10) ** 18
ONCHAIN_ONLY = (
    "Nothing off chain, where none is advertised; on a chain, read it from a gateway that collects capabilities."
)
ASK_FIRST = "Send one request for the model through this gateway, then look again."
STREAM_FIRST = (
    "This need be no fault: a gateway looks for a live pipeline only when a stream begins. Send one, then look again."
)


def capability_of(pipeline):
    """The number of a pipeline, None if it is not one."""
    for number, name in CAPABILITIES.items():
        if name == pipeline:
            return number
    return None


def pipeline_of(text):
    """The pipeline behind a capability number ("27"), a display name ("Text to image") or a pipeline's own name."""
    if str(text).isdigit():
        return CAPABILITIES.get(int(text), str(text))
    return str(text).strip().lower().replace(" ", "-")


def normal_uri(text):
    """A service address in one spelling: lower-case, no slash at the end. The scheme may be left out."""
    text = text.strip()
    if not text:
        return ""
    parts = urllib.parse.urlsplit(text if "://" in text else "https://" + text)
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}"


def same_service(one, other):
    """Whether two service addresses name the same orchestrator; it always speaks TLS, so the scheme says nothing."""
    return bool(one and other) and normal_uri(one).split("://")[1] == normal_uri(other).split("://")[1]


# --- reading --------------------------------------------------------------------------------------


def read_capabilities(document):
    """Offers from /getNetworkCapabilities or the older /getOrchestratorAICapabilities; ValueError if it is neither."""
    if not isinstance(document, dict) or "orchestrators" not in document:
        raise ValueError("the answer has no list of orchestrators")
    offers = []
    for orchestrator in document["orchestrators"] or []:
        reader = _read_legacy if "pipelines" in orchestrator else _read_current
        offers.extend(reader(orchestrator))
    return offers


def _offer(orchestrator, pipeline, model_id, **known):
    offer = {
        "service_uri": normal_uri(orchestrator.get("orch_uri") or ""),
        "address": (orchestrator.get("address") or "").lower(),
        "pipeline": pipeline,
        "model_id": model_id,
        "warm": None,
        "capacity": None,
        "capacity_in_use": None,
        "price_per_unit": None,
        "pixels_per_unit": None,
        "runner_version": "",
    }
    offer.update(known)
    return offer


def _read_current(orchestrator):
    """warm comes from the constraints alone: the list under hardware names cold models as well."""
    prices = {
        (int(price.get("capability") or 0), price.get("constraint") or ""): price
        for price in orchestrator.get("capabilities_prices") or []
    }
    constraints = (orchestrator.get("capabilities") or {}).get("constraints") or {}
    for number, capability in sorted((constraints.get("PerCapability") or {}).items()):
        for model_id, state in sorted((capability.get("models") or {}).items()):
            yield _offer(
                orchestrator,
                pipeline_of(number),
                model_id,
                # The node leaves out what is false, zero or empty.
                warm=bool(state.get("warm")),
                capacity=int(state.get("capacity") or 0),
                capacity_in_use=int(state.get("capacityInUse") or 0),
                runner_version=state.get("runnerVersion") or "",
                **_price(prices.get((int(number), model_id))),
            )
    for (number, name), price in sorted(prices.items()):
        if number == BYOC:
            yield _offer(orchestrator, CAPABILITIES[BYOC], name, **_price(price))


def _price(price):
    if price is None:
        return {}
    return {
        "price_per_unit": int(price.get("pricePerUnit") or 0),
        "pixels_per_unit": int(price.get("pixelsPerUnit") or 1),
    }


def _read_legacy(orchestrator):
    for pipeline in orchestrator.get("pipelines") or []:
        for model in pipeline.get("models") or []:
            status = model.get("status") or {}
            warm, cold = int(status.get("Warm") or 0), int(status.get("Cold") or 0)
            yield _offer(
                orchestrator,
                pipeline_of(pipeline.get("type") or ""),
                model.get("name") or "",
                warm=warm > 0,
                capacity=warm + cold,
            )


def read_sessions(document):
    """A list of sessions from /getAISessionPoolsInfo, one for each orchestrator that the gateway knows for a model."""
    if not isinstance(document, dict):
        raise ValueError("the answer is not a table of session pools")
    sessions = []
    for key, pools in sorted(document.items()):
        capability, _underscore, model_id = key.partition("_")
        suspended = (pools.get("suspended") or {}).get("list") or {}
        for kind in ("warm", "cold"):
            for orchestrator in (pools.get(kind) or {}).get("orchestrators") or []:
                sessions.append(
                    {
                        "pipeline": pipeline_of(capability),
                        "model_id": model_id,
                        "service_uri": normal_uri(orchestrator.get("url") or ""),
                        "warm": kind == "warm",
                        "in_flight": int(orchestrator.get("in_flight") or 0),
                        "latency_score": orchestrator.get("latency_score") or 0,
                        "suspended": any(same_service(url, orchestrator.get("url") or "") for url in suspended),
                    }
                )
    return sessions


def asked_models(document):
    """The (pipeline, model_id) pairs that the gateway has a pool for, filled or not."""
    return {(pipeline_of(key.partition("_")[0]), key.partition("_")[2]) for key in document}


# --- judging --------------------------------------------------------------------------------------


def judge_offers(expected, offers, source):
    """Checks that hold a declared model against the offers of its orchestrator."""
    subject = _subject(expected)
    own = [offer for offer in offers if _same_orchestrator(expected, offer)]
    found = [
        offer for offer in own if (offer["pipeline"], offer["model_id"]) == (expected["pipeline"], expected["model_id"])
    ]
    if not found:
        listed = ", ".join(sorted("{pipeline} {model_id}".format(**offer) for offer in own))
        sentence = (
            f"{source} lists the orchestrator with {listed} only."
            if own
            else f"{source} does not list the orchestrator."
        )
        remedy = (
            (
                "Check that the model is in aiModels.json and its runner healthy, then let the gateway ask again "
                "(liveAICapReportInterval, 25 minutes unless set)."
            )
            if own
            else "Check the service address from the gateway's side, and its price: a gateway skips those without."
        )
        return [make_check("capability", subject, FAILED, sentence, remedy=remedy)]
    offer = found[0]
    sentence = f"{source} lists the model, {_room(offer)}."
    checks = [make_check("capability", subject, PASSED, sentence)]
    if expected.get("warm") is not None:
        checks.append(_judge_warm(subject, expected["warm"], offer["warm"], source))
    if expected.get("price_per_unit") is not None:
        checks.append(_judge_price(subject, expected, offer, source))
    if expected.get("runner_version"):
        checks.append(_judge_version(subject, expected["runner_version"], offer["runner_version"], source))
    return checks


def _room(offer):
    """The capacity of a live pipeline is what is idle: none while it streams or loads, or is an external runner."""
    if offer["pipeline"] == LIVE_PIPELINE and offer["capacity_in_use"] is not None:
        return "{capacity} of its containers idle and {capacity_in_use} in use".format(**offer)
    return "capacity {}".format(offer["capacity"])


def unknown_offer(expected, reason):
    """The check for a source that tells nothing."""
    sentence = f"What is advertised is unknown: {reason}."
    return make_check(
        "capability", _subject(expected), UNKNOWN, sentence, remedy="Read it from the CLI port of a gateway."
    )


def judge_sessions(expected, asked, sessions, reason):
    """The same from a gateway's session pools, for want of an advertisement; reason says why there is none."""
    subject = _subject(expected)
    key = (expected["pipeline"], expected["model_id"])
    if key not in asked:
        sentence = f"The gateway has not looked for the model yet, so nothing is known ({reason})."
        return [
            make_check(
                "capability",
                subject,
                UNKNOWN,
                sentence,
                remedy=STREAM_FIRST if expected["pipeline"] == LIVE_PIPELINE else ASK_FIRST,
            )
        ]
    found = [
        one
        for one in sessions
        if (one["pipeline"], one["model_id"]) == key and same_service(one["service_uri"], expected.get("service_uri"))
    ]
    if not found:
        others = (
            ", ".join(sorted({one["service_uri"] for one in sessions if (one["pipeline"], one["model_id"]) == key}))
            or "nobody"
        )
        sentence = f"The gateway's session pool for the model holds {others}, not the orchestrator."
        remedy = (
            "Check that the gateway is pinned to this service address and that the orchestrator serves the model; "
            "a failed job also removes a session."
        )
        return [make_check("capability", subject, FAILED, sentence, remedy=remedy)]
    checks = [
        make_check("capability", subject, PASSED, "The gateway holds a session with the orchestrator for the model.")
    ]
    if expected.get("warm") is not None:
        checks.append(_judge_warm(subject, expected["warm"], found[0]["warm"], "The gateway's session pool"))
    if expected.get("price_per_unit") is not None:
        sentence = f"The advertised price cannot be seen: {reason}."
        checks.append(make_check("capability_price", subject, UNKNOWN, sentence, remedy=ONCHAIN_ONLY))
    if expected.get("runner_version"):
        sentence = f"The advertised runner version cannot be seen: {reason}."
        checks.append(make_check("capability_version", subject, UNKNOWN, sentence, remedy=ONCHAIN_ONLY))
    return checks


def _subject(expected):
    where = expected.get("service_uri") or expected.get("address") or "any orchestrator"
    return "{} {} at {}".format(expected["pipeline"], expected["model_id"], where)


def _same_orchestrator(expected, offer):
    if expected.get("service_uri") and offer["service_uri"]:
        return same_service(expected["service_uri"], offer["service_uri"])
    return bool(expected.get("address")) and expected["address"].lower() == offer["address"]


def _judge_warm(subject, declared, advertised, source):
    if advertised is None:
        return make_check(
            "capability_warm",
            subject,
            UNKNOWN,
            f"{source} does not say whether the model is warm.",
            remedy="Use a source that says.",
        )
    if bool(declared) == bool(advertised):
        return make_check(
            "capability_warm", subject, PASSED, f"{source} has the model {_temperature(advertised)}, as declared."
        )
    sentence = f"{source} has the model {_temperature(advertised)}, declared is {_temperature(declared)}."
    remedy = (
        "Look at the runner of the model: a warm one that fails to come back is dropped and the node needs a restart."
    )
    return make_check("capability_warm", subject, FAILED, sentence, remedy=remedy)


def _temperature(warm):
    return "warm" if warm else "cold"


def _judge_price(subject, expected, offer, source):
    declared = _declared_wei(expected)
    if declared is None:
        sentence = "The price is declared in {} and advertised in wei, which cannot be compared.".format(
            expected["currency"]
        )
        return make_check(
            "capability_price", subject, UNKNOWN, sentence, remedy="Declare the price in wei to have it compared."
        )
    if offer["price_per_unit"] is None:
        return make_check(
            "capability_price",
            subject,
            UNKNOWN,
            f"{source} gives no price for the model.",
            remedy="Use a source that does.",
        )
    advertised = Decimal(offer["price_per_unit"]) / Decimal(offer["pixels_per_unit"])
    # The node advertises whole wei per pixel and drops the rest.
    if advertised in (declared, declared.to_integral_value(ROUND_FLOOR)):
        sentence = f"{source} has the declared price, {_plain(advertised)} wei per pixel."
        return make_check("capability_price", subject, PASSED, sentence)
    sentence = f"{source} has the price {_plain(advertised)} wei per pixel, declared is {_plain(declared)}."
    remedy = "Restart the orchestrator if its aiModels.json changed, and check for a price of its own for this gateway."
    return make_check("capability_price", subject, FAILED, sentence, remedy=remedy)


def _declared_wei(expected):
    currency = (expected.get("currency") or "wei").lower()
    if currency not in ("wei", "eth"):
        return None
    price = Decimal(str(expected["price_per_unit"])) / Decimal(str(expected.get("pixels_per_unit") or 1))
    return price * WEI_PER_ETH if currency == "eth" else price


def _plain(number):
    return f"{number.quantize(Decimal(1))}" if number == number.to_integral_value() else f"{number:.6g}"


def _judge_version(subject, declared, advertised, source):
    if declared == advertised:
        return make_check(
            "capability_version", subject, PASSED, f"{source} has runner version {advertised}, as declared."
        )
    sentence = "{} has runner version {}, declared is {}.".format(source, advertised or "none", declared)
    return make_check(
        "capability_version",
        subject,
        FAILED,
        sentence,
        remedy="Pin the runner image, and restart the orchestrator so that it uses it.",
    )


def problem_of_expected(entry):
    """One sentence on what is wrong with an entry of expected, or an empty text."""
    if capability_of(entry["pipeline"]) is None:
        return "pipeline is {!r}; it must be one of {}".format(entry["pipeline"], ", ".join(CAPABILITIES.values()))
    if not (entry.get("service_uri") or entry.get("address")):
        return "it needs service_uri or address, to know whose advertisement to read"
    for key in ("price_per_unit", "pixels_per_unit"):
        try:
            if entry.get(key) is not None and not Decimal(str(entry[key])).is_finite():
                raise InvalidOperation
        except InvalidOperation:
            return f"{key} is {entry[key]!r}; it must be a number"
    return ""
