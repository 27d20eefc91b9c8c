# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: may change in any release.

"""What can go wrong between us and the Hub: one sentence each, the same on the controller and on the hosts."""

from __future__ import annotations

import email.utils
import re
import time

SENTENCES = {
    "no_token": (
        "{model_id} is gated and no token was given; accept its licence at {endpoint}/{model_id} and set token or "
        "token_file."
    ),
    "bad_token": (
        "{endpoint} does not accept the token for {model_id}; it is mistyped, expired or revoked: make a new one."
    ),
    "licence": (
        "The token's account has no access to {model_id}; open {endpoint}/{model_id} with that account, accept the "
        "licence (or ask its owner), and run again."
    ),
    "no_repository": (
        "{endpoint} has no model {model_id}, or it is private and no token was given whose account may see it; check "
        "the spelling of model_id, and the token."
    ),
    "no_revision": "{model_id} has no revision {revision}; use main, a tag, or a full commit of 40 hex digits.",
    "no_file": (
        "{model_id} has no file {path} at {revision}; the repository changed or the mirror is incomplete: "
        "run again with refresh set to true."
    ),
    "rate_limit": (
        "{endpoint} limits the rate of requests and asks to wait {seconds} s, more than max_wait allows; wait, or set "
        "a token (its limits are higher), or raise max_wait."
    ),
    "still_limited": (
        "{endpoint} still limits the rate of requests for {model_id} after {attempts} attempts; wait, or set a token "
        "(its limits are higher)."
    ),
    "unreachable": "{endpoint} cannot be reached for {model_id}: {detail}; check the network, the proxy and endpoint.",
    "server_error": "{endpoint} keeps failing for {model_id}: {detail}; try again later.",
    "transfer": (
        "Gave up on {path} of {model_id} after {attempts} attempts without a byte: {detail}; what has arrived is kept "
        "and the next run resumes there."
    ),
    "digest": (
        "{path} of {model_id} arrived twice with the wrong content ({algorithm} {found} instead of {digest}) and was "
        "deleted; something between this host and {endpoint} alters data: check proxy and mirror."
    ),
    "refused": "{endpoint} refuses {path} of {model_id}: {detail}.",
    "plain_redirect": (
        "{endpoint} sends {path} of {model_id} on to an address without TLS ({detail}), which is not followed; correct "
        "endpoint or the mirror behind it."
    ),
    "certificate": (
        "The certificate of {endpoint} is not trusted ({detail}); install its authority on this machine "
        "(SSL_CERT_FILE), or correct endpoint."
    ),
    "unexpected": "{endpoint} gave an answer for {model_id} that is not understood: {detail}.",
}


class HubError(Exception):
    """An error whose text is a sentence for the user; `kind` names it for programs."""

    def __init__(self, kind, **facts):
        self.kind = kind
        self.facts = facts
        super().__init__(SENTENCES[kind].format(**facts))


def refusal(status, error_code, has_token):
    """The kind of error behind an HTTP status of the Hub, or None if trying again may help.

    The Hub answers an anonymous caller with 401 whether a repository is private or does not exist.
    """
    if status == 401 and error_code == "GatedRepo":
        return "bad_token" if has_token else "no_token"
    if error_code == "RevisionNotFound":
        return "no_revision"
    if error_code == "EntryNotFound":
        return "no_file"
    if error_code == "RepoNotFound" or status == 404:
        return "no_repository"
    if status == 401:
        return "bad_token" if has_token else "no_repository"
    if status == 403:
        return "licence"
    return None


def wait_asked(headers, default):
    """Seconds that a 429 or 503 asks for: Retry-After as number or date, or the Hub's own RateLimit header."""
    text = (headers.get("Retry-After") or "").strip()
    if text.isdigit():
        return int(text)
    parsed = email.utils.parsedate_tz(text) if text else None
    if parsed:
        return max(0, int(email.utils.mktime_tz(parsed) - time.time()) + 1)
    limit = re.search(r"\bt=(\d+)", headers.get("RateLimit") or "")
    return int(limit.group(1)) if limit else default


def backoff(attempt):
    """Seconds before the given attempt (1 is the first repetition)."""
    return min(30, 2 ** (attempt - 1))


def amount(number):
    """A number of bytes for people."""
    value = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{number} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return ""
