# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every flag of go-livepeer v0.9.1, and Go's flag package: syntax, messages and exit statuses (facts 1.2, 1.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

STRING, BOOL, INT, FLOAT, DURATION = "string", "bool", "int", "float", "duration"


@dataclass(frozen=True)
class Flag:
    """A flag as the node declares it; `field` is its line in the start-up table, `listed` whether it can have one."""

    name: str
    kind: str
    default: str | int | float | bool
    field: str = ""
    listed: bool = True


# In the order of the start-up table. A flag that upstream's default configuration leaves nil is never listed there.
FLAGS: tuple[Flag, ...] = (
    Flag("j", BOOL, False, listed=False),
    Flag("version", BOOL, False, listed=False),
    Flag("v", STRING, "3", listed=False),
    Flag("config", STRING, "", listed=False),
    Flag("network", STRING, "offchain", "Network"),
    Flag("rtmpAddr", STRING, "", "RtmpAddr"),
    Flag("cliAddr", STRING, "", "CliAddr"),
    Flag("httpAddr", STRING, "", "HttpAddr"),
    Flag("serviceAddr", STRING, "", "ServiceAddr"),
    Flag("nodes", STRING, "", "Nodes"),
    Flag("orchAddr", STRING, "", "OrchAddr"),
    Flag("verifierUrl", STRING, "", "VerifierURL"),
    Flag("ethController", STRING, "", "EthController"),
    Flag("verifierPath", STRING, "", "VerifierPath"),
    Flag("localVerify", BOOL, True, "LocalVerify"),
    Flag("httpIngest", BOOL, True, "HttpIngest"),
    Flag("orchestrator", BOOL, False, "Orchestrator"),
    Flag("transcoder", BOOL, False, "Transcoder"),
    Flag("aiServiceRegistry", BOOL, False, "AIServiceRegistry"),
    Flag("aiWorker", BOOL, False, "AIWorker"),
    Flag("aiServerless", BOOL, False, "AIServerless"),
    Flag("useLiveRunners", BOOL, False, "UseLiveRunners"),
    Flag("liveRunnerConfig", STRING, "", "LiveRunnerConfig"),
    Flag("liveRunnerProxyUrl", STRING, "", "LiveRunnerProxyURL"),
    Flag("gateway", BOOL, False, "Gateway"),
    Flag("broadcaster", BOOL, False, "Broadcaster"),
    Flag("orchSecret", STRING, "", "OrchSecret"),
    Flag("transcodingOptions", STRING, "P240p30fps16x9,P360p30fps16x9", "TranscodingOptions"),
    Flag("aiModels", STRING, "", "AIModels"),
    Flag("maxAttempts", INT, 3, "MaxAttempts"),
    Flag("selectRandFreq", FLOAT, 0.3, "SelectRandWeight"),
    Flag("selectStakeWeight", FLOAT, 0.7, "SelectStakeWeight"),
    Flag("selectPriceWeight", FLOAT, 0.0, "SelectPriceWeight"),
    Flag("selectPriceExpFactor", FLOAT, 100.0, "SelectPriceExpFactor"),
    Flag("orchPerfStatsUrl", STRING, "", "OrchPerfStatsURL"),
    Flag("region", STRING, "", "Region"),
    Flag("maxPricePerUnit", STRING, "0", "MaxPricePerUnit"),
    Flag("maxPricePerCapability", STRING, "", "MaxPricePerCapability"),
    Flag("ignoreMaxPriceIfNeeded", BOOL, False, "IgnoreMaxPriceIfNeeded"),
    Flag("minPerfScore", FLOAT, 0.0, "MinPerfScore"),
    Flag("discoveryTimeout", DURATION, "500ms", "DiscoveryTimeout"),
    Flag("extraNodes", INT, 0, "ExtraNodes"),
    Flag("maxSessions", STRING, "10", "MaxSessions"),
    Flag("currentManifest", BOOL, False, "CurrentManifest"),
    Flag("nvidia", STRING, "", "Nvidia"),
    Flag("netint", STRING, "", "Netint"),
    Flag("hevcDecoding", BOOL, False, "HevcDecoding"),
    Flag("testTranscoder", BOOL, True, "TestTranscoder"),
    Flag("gatewayHost", STRING, "", "GatewayHost"),
    Flag("ethAcctAddr", STRING, "", "EthAcctAddr"),
    Flag("ethPassword", STRING, "", "EthPassword"),
    Flag("ethKeystorePath", STRING, "", "EthKeystorePath"),
    Flag("ethOrchAddr", STRING, "", "EthOrchAddr"),
    Flag("ethUrl", STRING, "", "EthUrl"),
    Flag("transactionTimeout", DURATION, "5m", "TxTimeout"),
    Flag("maxTransactionReplacements", INT, 1, "MaxTxReplacements"),
    Flag("gasLimit", INT, 0, "GasLimit"),
    Flag("minGasPrice", INT, 0, "MinGasPrice", listed=False),
    Flag("maxGasPrice", INT, 0, "MaxGasPrice"),
    Flag("initializeRound", BOOL, False, "InitializeRound"),
    Flag("initializeRoundMaxDelay", DURATION, "30s", "InitializeRoundMaxDelay"),
    Flag("ticketEV", STRING, "8000000000", "TicketEV"),
    Flag("maxFaceValue", STRING, "0", "MaxFaceValue"),
    Flag("maxTicketEV", STRING, "3000000000000", "MaxTicketEV"),
    Flag("maxTotalEV", STRING, "20000000000000", "MaxTotalEV"),
    Flag("depositMultiplier", INT, 1, "DepositMultiplier"),
    Flag("pricePerUnit", STRING, "0", "PricePerUnit", listed=False),
    Flag("pixelsPerUnit", STRING, "1", "PixelsPerUnit"),
    Flag("priceFeedAddr", STRING, "0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612", "PriceFeedAddr"),
    Flag("autoAdjustPrice", BOOL, True, "AutoAdjustPrice"),
    Flag("pricePerGateway", STRING, "", "PricePerGateway"),
    Flag("pricePerBroadcaster", STRING, "", "PricePerBroadcaster"),
    Flag("blockPollingInterval", INT, 5, "BlockPollingInterval"),
    Flag("redeemer", BOOL, False, "Redeemer"),
    Flag("redeemerAddr", STRING, "", "RedeemerAddr"),
    Flag("reward", BOOL, False, "Reward", listed=False),
    Flag("monitor", BOOL, False, "Monitor"),
    Flag("metricsPerStream", BOOL, False, "MetricsPerStream"),
    Flag("metricsClientIP", BOOL, False, "MetricsExposeClientIP"),
    Flag("metadataQueueUri", STRING, "", "MetadataQueueUri"),
    Flag("metadataAmqpExchange", STRING, "lp_golivepeer_metadata", "MetadataAmqpExchange"),
    Flag("metadataPublishTimeout", DURATION, "1s", "MetadataPublishTimeout"),
    Flag("dataDir", STRING, "", "Datadir"),
    Flag("datadir", STRING, "", "Datadir", listed=False),
    Flag("aiModelsDir", STRING, "", "AIModelsDir"),
    Flag("objectStore", STRING, "", "Objectstore"),
    Flag("recordStore", STRING, "", "Recordstore"),
    Flag("FVfailGsbucket", STRING, "", "FVfailGsBucket"),
    Flag("FVfailGskey", STRING, "", "FVfailGsKey"),
    Flag("authWebhookUrl", STRING, "", "AuthWebhookURL"),
    Flag("liveAIAuthWebhookUrl", STRING, "", "LiveAIAuthWebhookURL"),
    Flag("liveAITrickleHostForRunner", STRING, "", "LiveAITrickleHostForRunner", listed=False),
    Flag("liveRunnerAddr", STRING, "", "LiveRunnerAddr"),
    Flag("orchWebhookUrl", STRING, "", "OrchWebhookURL"),
    Flag("orchBlocklist", STRING, "", "OrchBlacklist", listed=False),
    Flag("orchMinLivepeerVersion", STRING, "", "OrchMinLivepeerVersion"),
    Flag("startupAvailabilityCheck", BOOL, True, "TestOrchAvail"),
    Flag("remoteSigner", BOOL, False, "RemoteSigner"),
    Flag("remoteSignerUrl", STRING, "", "RemoteSignerUrl"),
    Flag("remoteSignerHeaders", STRING, "", "RemoteSignerHeaders"),
    Flag("remoteSignerWebhookUrl", STRING, "", "RemoteSignerWebhookURL"),
    Flag("remoteSignerWebhookHeaders", STRING, "", "RemoteSignerWebhookHeaders"),
    Flag("remoteSignerAllowNoAuth", BOOL, False, "RemoteSignerAllowNoAuth"),
    Flag("remoteDiscovery", BOOL, False, "RemoteDiscovery"),
    Flag("aiRunnerImage", STRING, "livepeer/ai-runner:latest", "AIRunnerImage"),
    Flag("aiRunnerImageOverrides", STRING, "", "AIRunnerImageOverrides"),
    Flag("aiVerboseLogs", BOOL, False, "AIVerboseLogs"),
    Flag("aiProcessingRetryTimeout", DURATION, "2s", "AIProcessingRetryTimeout"),
    Flag("aiRunnerContainersPerGPU", INT, 1, "AIRunnerContainersPerGPU"),
    Flag("aiMinRunnerVersion", STRING, "[]", "AIMinRunnerVersion"),
    Flag("kafkaBootstrapServers", STRING, "", "KafkaBootstrapServers"),
    Flag("kafkaUser", STRING, "", "KafkaUsername"),
    Flag("kafkaPassword", STRING, "", "KafkaPassword"),
    Flag("kafkaGatewayTopic", STRING, "", "KafkaGatewayTopic"),
    Flag("mediaMTXApiPassword", STRING, "", "MediaMTXApiPassword", listed=False),
    Flag("liveAIAuthApiKey", STRING, "", "LiveAIAuthApiKey", listed=False),
    Flag("liveAIHeartbeatURL", STRING, "", "LiveAIHeartbeatURL", listed=False),
    Flag("liveAIHeartbeatHeaders", STRING, "", "LiveAIHeartbeatHeaders", listed=False),
    Flag("liveAIHeartbeatInterval", DURATION, "5s", "LiveAIHeartbeatInterval"),
    Flag("livePaymentInterval", DURATION, "5s", "LivePaymentInterval"),
    Flag("liveOutSegmentTimeout", DURATION, "0s", "LiveOutSegmentTimeout"),
    Flag("liveAICapReportInterval", DURATION, "25m", "LiveAICapReportInterval"),
    Flag("liveAICapRefreshModels", STRING, "", "LiveAICapRefreshModels", listed=False),
    Flag("liveAISaveNSegments", INT, 10, "LiveAISaveNSegments", listed=False),
)
BY_NAME: dict[str, Flag] = {flag.name: flag for flag in FLAGS}

# Two spellings of one variable: what is given last to either wins (facts 1.6).
TWINS: dict[str, str] = {"datadir": "dataDir"}

# Fields whose value the start-up table hides (facts 1.2). EthUrl and the store URLs are not among them.
REDACTED_FIELDS = frozenset(
    {
        "EthPassword",
        "OrchSecret",
        "KafkaPassword",
        "MediaMTXApiPassword",
        "LiveAIAuthApiKey",
        "FVfailGsKey",
        "RemoteSignerHeaders",
        "RemoteSignerWebhookHeaders",
    }
)

# Flags that are nil, not their default, when nobody gives them; such a flag has no line in the table either.
NIL_UNLESS_GIVEN = frozenset({"minGasPrice", "pricePerUnit", "reward", "httpIngest", "localVerify", "hevcDecoding"})


class ParseError(ValueError):
    """A value its flag cannot take, in the words of Go's flag package."""


_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_INT = re.compile(r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO](_?[0-7])+|0(_?[0-7])*|[1-9](_?[0-9])*)\Z")
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\Z|[+-]?(inf|infinity|nan)\Z", re.IGNORECASE)
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")  # both micro signs
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_INT64 = 2**63


def parse_bool(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ParseError("parse error")


def parse_int(text: str) -> int:
    if not _INT.match(text):
        raise ParseError("parse error")
    digits = text.replace("_", "")
    octal = re.fullmatch(r"([+-]?)0([0-7]+)", digits)
    value = int(f"{octal[1]}0o{octal[2]}", 0) if octal else int(digits, 0)
    if not -_INT64 <= value < _INT64:
        raise ParseError("value out of range")
    return value


def parse_float(text: str) -> float:
    if not _FLOAT.match(text):
        raise ParseError("parse error")
    return float(text)


def parse_duration(text: str) -> float:
    """Seconds from Go's duration text: "1h15m", "500ms", "-1.5s", or a bare "0"."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text[1:] if text[:1] == "+" else text)
    if rest == "0":
        return 0.0
    nanoseconds, position = 0.0, 0
    for part in _DURATION_PART.finditer(rest):
        if part.start() != position:
            raise ParseError("parse error")
        nanoseconds += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not rest or position != len(rest) or nanoseconds >= _INT64:
        raise ParseError("parse error")
    return sign * nanoseconds / 1e9


def format_duration(seconds: float) -> str:
    """Go's Duration.String(): "500ms", "5s", "25m0s"."""
    left = round(abs(seconds) * 1e9)
    sign = "-" if seconds < 0 else ""
    if left == 0:
        return "0s"
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if left < size * 1000:
            return f"{sign}{_trimmed(left / size)}{unit}"
    hours, left = divmod(left, _UNITS["h"])
    minutes, left = divmod(left, _UNITS["m"])
    parts = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{sign}{parts}{_trimmed(left / 1e9)}s"


def _trimmed(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")


_PARSERS: dict[str, Callable[[str], object]] = {
    STRING: str,
    BOOL: parse_bool,
    INT: parse_int,
    FLOAT: parse_float,
    DURATION: parse_duration,
}


def parse_value(flag: Flag, text: str) -> object:
    return _PARSERS[flag.kind](text)


class UsageError(Exception):
    """The command line cannot be read: `text` and the usage go to stdout, the status is `code`."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.text, self.code = text, code


def go_quote(text: str) -> str:
    """A string as Go's %q shows it, near enough for messages."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def parse_arguments(arguments: Sequence[str]) -> Iterator[tuple[Flag, object]]:
    """Yield (flag, value) as given, stopping at the first word that is no flag, as Go does: the rest is ignored."""
    rest = list(arguments)
    while rest:
        word = rest[0]
        if len(word) < 2 or word[0] != "-" or word == "--":
            return
        del rest[0]
        body = word[2:] if word[1] == "-" else word[1:]
        if not body or body[0] in "-=":
            raise UsageError(f"bad flag syntax: {word}", 2)
        name, equals, value = body.partition("=")
        flag = BY_NAME.get(name)
        if flag is None:
            _unknown(name)
        if not equals and flag.kind != BOOL:
            if not rest:
                raise UsageError(f"flag needs an argument: -{name}", 2)
            value = rest.pop(0)
        elif not equals:
            value = "true"
        yield flag, _checked(flag, value)


def _unknown(name: str) -> NoReturn:
    if name in ("h", "help"):
        raise UsageError("", 0)
    raise UsageError(f"flag provided but not defined: -{name}", 2)


def _checked(flag: Flag, text: str) -> object:
    try:
        return parse_value(flag, text)
    except ParseError as error:
        if flag.kind == BOOL:
            raise UsageError(f"invalid boolean value {go_quote(text)} for -{flag.name}: {error}", 2) from error
        raise UsageError(f"invalid value {go_quote(text)} for flag -{flag.name}: {error}", 2) from error


def usage(program: str) -> str:
    """The flags in Go's layout; the descriptions are upstream's own and are not repeated here."""
    lines = [f"Usage of {program}:"]
    for flag in sorted(FLAGS, key=lambda f: f.name):
        kind = "" if flag.kind == BOOL else f" {flag.kind}"
        lines.append(f"  -{flag.name}{kind}")
        if flag.default not in ("", False, 0, "0s"):
            lines.append(f"    \t(default {_shown_default(flag)})")
    return "\n".join(lines)


def _shown_default(flag: Flag) -> str:
    if flag.kind == STRING:
        return go_quote(str(flag.default))
    return str(flag.default).lower() if flag.kind == BOOL else f"{flag.default}"
