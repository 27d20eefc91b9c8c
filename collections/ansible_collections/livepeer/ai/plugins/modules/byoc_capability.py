#!/usr/bin/python

# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: byoc_capability
short_description: Register a BYOC capability with a go-livepeer orchestrator, or unregister it
version_added: "1.0.0"
author: "livepeer.ai contributors (@livepeer-ai)"
description:
  - Registers a service of your own (BYOC, an external capability) with an orchestrator, over its service port.
  - Reads back first, and afterwards. The orchestrator names no list of its capabilities; what it gives is a token that
    tells the free slots of one of them, and the price. Where that shows no free slot, an empty job for the path
    C(livepeer-capability-probe) tells a busy capability from one that is not registered.
  - An orchestrator keeps registrations in memory only. It forgets them when it restarts, and drops one when the service
    refuses a connection or answers 401. The role P(livepeer.ai.byoc#role) installs a registrar that keeps them.
  - Refuses an orchestrator that takes registrations without a secret.
extends_documentation_fragment:
  - livepeer.ai._attributes
attributes:
  check_mode:
    support: full
    details:
      - Reads back, and neither registers nor unregisters.
  diff_mode:
    support: full
    details:
      - Without O(token_path), which is never shown.
  idempotent:
    support: partial
    details:
      - What the orchestrator does not tell cannot be compared, namely O(service_url), O(description), the token and a
        raised O(capacity), and off-chain the price as well. A change of nothing else needs O(force=true).
      - An on-chain orchestrator gives tokens only to senders with a funded account, so there RV(readable) is false,
        and the module registers each time.
options:
  url:
    description:
      - The service address of the orchestrator.
      - Its certificate is not verified, because every node makes its own at each start.
    type: str
    default: https://127.0.0.1:8935
  secret_path:
    description:
      - The file on the host that holds the orchestrator's C(orchSecret). White space around it does not count.
    type: path
    default: /etc/livepeer/orchestrator/orch_secret
  name:
    description: The name of the capability, by which gateways ask for it.
    type: str
    required: true
  state:
    description: Whether the capability is registered.
    type: str
    choices: [present, absent]
    default: present
  service_url:
    description:
      - The base address of the service, as the orchestrator reaches it, without a slash at its end.
      - Needed for O(state=present).
    type: str
    default: ""
  capacity:
    description: How many jobs the service takes at once. The orchestrator offers this number and does not enforce it.
    type: int
    default: 1
  price_per_unit:
    description:
      - The price for a second, in O(currency), before it is divided by O(price_scaling).
      - The orchestrator takes whole numbers only.
    type: int
    default: 0
  price_scaling:
    description: The divisor of the price.
    type: int
    default: 1
  currency:
    description:
      - V(wei), V(eth), or a currency of the orchestrator's price feed.
      - Off-chain there is no feed, and the orchestrator drops the connection for any other currency.
    type: str
    default: wei
  token_path:
    description: A file on the host with the bearer token that the orchestrator sends to the service.
    type: path
  description:
    description: A text for people. The orchestrator does not use it.
    type: str
    default: ""
  force:
    description:
      - Register although it is registered already.
      - The orchestrator then counts its running jobs from zero, so it may offer more slots than the service has until
        they have ended.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for each answer.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Offer a service of our own
  livepeer.ai.byoc_capability:
    name: sentence-embeddings
    service_url: http://127.0.0.1:8600
    capacity: 4

- name: Charge 1200 wei for a second
  livepeer.ai.byoc_capability:
    name: sentence-embeddings
    service_url: http://127.0.0.1:8600
    capacity: 4
    price_per_unit: 1200
    force: true

- name: Take it off the network
  livepeer.ai.byoc_capability:
    name: sentence-embeddings
    state: absent
"""

RETURN = r"""
failure:
  description:
    - Which failure it was, empty if none.
    - V(wrong_secret), V(open_registration), V(currency_without_feed), V(unreachable), V(not_an_orchestrator),
      V(rejected), V(not_listed), V(still_listed), V(unreadable_secret), V(unreadable_token) or V(bad_declaration).
  returned: always
  type: str
  sample: wrong_secret
remedy:
  description: What to do about the failure, empty if there is none.
  returned: always
  type: str
  sample: Give the orchestrator's current orchSecret; one that was changed counts from its next restart on.
listing:
  description:
    - What read-back says in the end, V(listed), V(busy) (registered, without a free slot), V(missing) or V(unreadable).
      In check mode it is what was found.
  returned: success
  type: str
  sample: listed
readable:
  description: Whether the orchestrator tells what is registered.
  returned: success
  type: bool
  sample: true
available_capacity:
  description: The free slots that the orchestrator offers.
  returned: success
  type: int
  sample: 4
price:
  description: The price as the orchestrator tells it, empty if it tells none.
  returned: success
  type: dict
  sample: {"price_per_unit": 1200, "price_scaling": 1}
reasons:
  description: Why something was changed, or would be.
  returned: success
  type: list
  elements: str
  sample: ["it is not registered"]
"""

from fractions import Fraction

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.livepeer.ai.plugins.module_utils._byoc import (
    BUSY,
    DECLARED,
    LISTED,
    MISSING,
    UNREADABLE,
    ByocFailure,
    Orchestrator,
    registration,
    service_error,
)


class Refusal(Exception):
    """What is wrong on our side: a name, a sentence and a remedy."""

    def __init__(self, name, sentence, remedy):
        super().__init__(sentence)
        self.name, self.sentence, self.remedy = name, sentence, remedy


class ByocCapability:
    """One capability at one orchestrator, before and after."""

    def __init__(self, module):
        params = module.params
        self.module = module
        self.name = params["name"]
        self.present = params["state"] == "present"
        self.judge()
        self.secret = self.read("secret_path", "unreadable_secret")
        token = self.read("token_path", "unreadable_token") if params["token_path"] and self.present else ""
        declaration = {key: params[key] for key in DECLARED if key in params}
        self.document = registration({**declaration, "url": params["service_url"]}, token)
        self.orchestrator = Orchestrator(params["url"], self.secret, params["timeout"])

    def judge(self):
        """What the orchestrator would take and never use, or take for something else."""
        params = self.module.params
        self.demand(self.name.strip() == self.name != "", "name", self.name, "give a name without spaces around it")
        problem = service_error(params["url"])
        self.demand(not problem, "url", params["url"], problem)
        if not self.present:
            return
        problem = service_error(params["service_url"]) or (
            "it ends with a slash, which the node doubles" if params["service_url"].endswith("/") else ""
        )
        self.demand(not problem, "service_url", params["service_url"], problem)
        for option, lowest in (("capacity", 1), ("price_per_unit", 0), ("price_scaling", 1)):
            self.demand(params[option] >= lowest, option, params[option], f"give {lowest} or more")

    @staticmethod
    def demand(true, option, value, problem):
        if not true:
            raise Refusal("bad_declaration", f"{option} is '{value}': {problem}.", f"Correct {option}.")

    def read(self, option, failure):
        """The text of a file on the host, which is never shown."""
        path = self.module.params[option]
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            words = getattr(error, "strerror", None) or "it is no text"
            raise Refusal(failure, f"{option} {path} cannot be read: {words}.", f"Correct {option}.") from None
        if not text:
            raise Refusal(failure, f"{option} {path} is empty.", f"Correct {option}.")
        self.module.no_log_values.add(text)
        return text

    def work(self):
        # Before anything else, also in check mode: this needs no change to be found out.
        if self.orchestrator.is_open():
            sentence = f"The orchestrator at {self.orchestrator.url} takes registrations without a secret."
            raise ByocFailure("open_registration", sentence)
        before = after = self.orchestrator.listing(self.name)
        reasons = self.reasons(before)
        if reasons and not self.module.check_mode:
            self.change()
            after = self.orchestrator.listing(self.name)
            self.see(after)
        return {
            "changed": bool(reasons),
            "reasons": reasons,
            "listing": after.state,
            "readable": after.state != UNREADABLE,
            "available_capacity": after.available,
            "price": dict(zip(("price_per_unit", "price_scaling"), after.price)) if after.price else {},
            "diff": self.difference(before, reasons),
        }

    def reasons(self, listing):
        if not self.present:
            if listing.state == UNREADABLE:
                return ["the orchestrator does not tell whether it is registered"]
            return [] if listing.state == MISSING else ["it is registered"]
        if listing.state == MISSING:
            return ["it is not registered"]
        if listing.state == UNREADABLE:
            return ["the orchestrator does not tell whether it is registered"]
        return self.differences(listing) + (["force is set"] if self.module.params["force"] else [])

    def differences(self, listing):
        """What is told and differs from the declaration."""
        reasons = []
        if listing.available > self.document["capacity"]:
            reasons.append(f"{listing.available} slots are offered instead of {self.document['capacity']}")
        if listing.price and self.document["currency"].lower() in ("", "wei"):
            wanted = Fraction(self.document["price_per_unit"], self.document["price_scaling"])
            if Fraction(*listing.price) != wanted:
                reasons.append(f"the price is {Fraction(*listing.price)} instead of {wanted} wei")
        return reasons

    def change(self):
        if self.present:
            self.orchestrator.register(self.document)
        else:
            self.orchestrator.unregister(self.name)

    def see(self, listing):
        """An answer of ok is no proof."""
        if self.present and listing.state == MISSING:
            raise ByocFailure("not_listed", f"The orchestrator said ok and does not offer {self.name}.")
        if not self.present and listing.state in (LISTED, BUSY):
            raise ByocFailure("still_listed", f"The orchestrator said ok and still offers {self.name}.")

    def difference(self, before, reasons):
        shown = {key: value for key, value in self.document.items() if key != "token"} if self.present else {}
        found = {"listing": before.state, "available_capacity": before.available}
        return {
            "before_header": f"{self.name} at {self.orchestrator.url}",
            "after_header": f"{self.name} at {self.orchestrator.url}",
            "before": found,
            "after": ({"listing": LISTED if self.present else MISSING, **shown} if reasons else found),
        }


def main():
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "default": "https://127.0.0.1:8935"},
            "secret_path": {"type": "path", "default": "/etc/livepeer/orchestrator/orch_secret", "no_log": False},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "service_url": {"type": "str", "default": ""},
            "capacity": {"type": "int", "default": 1},
            "price_per_unit": {"type": "int", "default": 0},
            "price_scaling": {"type": "int", "default": 1},
            "currency": {"type": "str", "default": "wei"},
            "token_path": {"type": "path", "no_log": False},
            "description": {"type": "str", "default": ""},
            "force": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 5},
        },
        supports_check_mode=True,
    )
    try:
        result = ByocCapability(module).work()
    except (ByocFailure, Refusal) as problem:
        message = f"{problem.sentence} {problem.remedy}"
        module.fail_json(msg=message, failure=problem.name, remedy=problem.remedy, capability=module.params["name"])
    module.exit_json(failure="", remedy="", **result)


if __name__ == "__main__":
    main()
