# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all requests that are sent to be judged share: a run, failures, words. Private to the collection."""

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.module_utils._checks import FAILED, PASSED, UNKNOWN, finish, make_check
from ansible_collections.livepeer.ai.plugins.module_utils._http import HttpFailure, clause, redact, shorten


class RequestFailure(Exception):
    """The request has no good answer; name and said choose the sentence."""

    def __init__(self, name, said="", remedy=""):
        super().__init__(said)
        self.name = name
        self.said = said
        self.remedy = remedy

    @classmethod
    def of(cls, failure):
        """The same for an HttpFailure: no answer at all."""
        return cls(failure.name, clause(failure.sentence), failure.remedy)


class Request:
    """One request from the refusal of bad input to the checks. A kind of request fills in how it asks and judges."""

    # What each failure means: {failure: {target: (sentence, remedy)}}; {said} is the server's own text.
    meanings = {}

    def __init__(self, module):
        self.module = module
        self.url, self.target = module.params["url"], module.params["target"]
        self.expect = {key: value for key, value in (module.params["expect"] or {}).items() if value is not None}
        self.result = {"failure": "", "status_code": None, "seconds": 0.0, "media": [], "text": "", "files": []}

    def run(self):
        self.refuse_nonsense()
        prepared = self.prepare()
        if self.module.check_mode:
            sentence, remedy = "Nothing was sent, because this is a check run.", "Run without --check."
            finish(self.module, self.result, [self.check(UNKNOWN, sentence, remedy)])
        try:
            checks = [self.check(PASSED, self.ask(prepared))]
        except RequestFailure as failure:
            checks = [self.failed(failure)]
        except HttpFailure as failure:
            checks = [self.failed(RequestFailure.of(failure))]
        finish(self.module, self.result, checks + self.further_checks(checks[0]["status"]))

    def refuse_nonsense(self):
        """End the module with one sentence if the arguments do not fit each other."""

    def prepare(self):
        """What must be there before anything is sent."""

    def ask(self, prepared):
        """Send and judge: the sentence of a good answer, RequestFailure or HttpFailure for any other."""
        raise NotImplementedError

    def further_checks(self, status):
        """Checks that only make sense once the request was judged."""
        return []

    def subject(self):
        raise NotImplementedError

    def full_subject(self):
        return f"{self.subject()} {self.module.params['occasion']}".strip()

    def check_name(self):
        return f"{self.target}_request"

    def check(self, status, sentence, remedy=""):
        subject = self.full_subject()
        return make_check(self.check_name(), subject, status, sentence, self.result["seconds"], remedy)

    def failed(self, failure):
        self.result["failure"] = failure.name
        who = f"The {self.target}"
        sentence, remedy = self.meanings.get(failure.name, {}).get(self.target) or (
            f"{who} gives no answer: {{said}}."
            if failure.remedy
            else f"{who} answered with status {failure.name[5:]} ({{said}}).",
            failure.remedy or f"Read the log of what answers at {redact(self.url)}.",
        )
        sentence = sentence.replace("{said}", failure.said)
        return self.check(FAILED, sentence if sentence.endswith((".", "…")) else sentence + ".", remedy)


def counted(number, word):
    return "{} {}{}".format(number, word, "" if number == 1 else "s")


def quote(text):
    return f'"{shorten(text, 60)}".'
