# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags, environment and config file (facts 1.2, 1.4, 1.6)."""

from __future__ import annotations

import pytest
from livepeer_node import flags
from livepeer_node.settings import ConfigError, Settings, read_value_or_file


def parse(*arguments, environment=None):
    return Settings.parse(arguments, environment or {})


def refused(*arguments):
    with pytest.raises(flags.UsageError) as caught:
        parse(*arguments)
    return caught.value


# --- the command line ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("arguments", [("-network", "x"), ("--network", "x"), ("-network=x",), ("--network=x",)])
def test_one_and_two_dashes_with_and_without_equals_are_the_same(arguments):
    assert parse(*arguments)["network"] == "x"


def test_booleans_take_a_value_only_after_an_equals_sign():
    assert parse("-orchestrator")["orchestrator"] is True
    assert parse("-httpIngest=false")["httpIngest"] is False
    assert parse("-httpIngest=T")["httpIngest"] is True


def test_the_first_word_that_is_no_flag_ends_the_flags_silently():
    settings = parse("-httpIngest", "false", "-network", "x")
    assert settings["httpIngest"] is True
    assert settings["network"] == "offchain"
    assert parse("-orchestrator", "--", "-gateway")["gateway"] is False


def test_an_unknown_flag_is_named_and_ends_with_status_2():
    error = refused("-nonsense", "1")
    assert (error.text, error.code) == ("flag provided but not defined: -nonsense", 2)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-aiRunnerContainersPerGPU", "two"), 'invalid value "two" for flag -aiRunnerContainersPerGPU: parse error'),
        (("-aiRunnerContainersPerGPU=1.0",), 'invalid value "1.0" for flag -aiRunnerContainersPerGPU: parse error'),
        (("-maxAttempts", "9" * 20), f'invalid value "{"9" * 20}" for flag -maxAttempts: value out of range'),
        (("-aiWorker=yes",), 'invalid boolean value "yes" for -aiWorker: parse error'),
        (("-discoveryTimeout", "5"), 'invalid value "5" for flag -discoveryTimeout: parse error'),
        (("-selectRandFreq", "a lot"), 'invalid value "a lot" for flag -selectRandFreq: parse error'),
        (("-network",), "flag needs an argument: -network"),
        (("---network",), "bad flag syntax: ---network"),
        (("-=x",), "bad flag syntax: -=x"),
    ],
)
def test_ill_typed_flags_are_refused_in_gos_words(arguments, text):
    error = refused(*arguments)
    assert (error.text, error.code) == (text, 2)


@pytest.mark.parametrize("word", ["-h", "-help", "--help"])
def test_help_ends_with_status_0(word):
    assert refused(word).code == 0


def test_the_usage_names_every_flag():
    usage = flags.usage("livepeer")
    assert usage.startswith("Usage of livepeer:")
    assert all(f"  -{flag.name}" in usage for flag in flags.FLAGS)


@pytest.mark.parametrize(
    ("name", "kind", "default"),
    [
        ("network", "string", "offchain"),
        ("serviceAddr", "string", ""),
        ("httpIngest", "bool", True),
        ("discoveryTimeout", "duration", 0.5),
        ("maxSessions", "string", "10"),
        ("testTranscoder", "bool", True),
        ("aiRunnerImage", "string", "livepeer/ai-runner:latest"),
        ("aiRunnerContainersPerGPU", "int", 1),
        ("aiMinRunnerVersion", "string", "[]"),
        ("aiProcessingRetryTimeout", "duration", 2.0),
        ("liveAICapReportInterval", "duration", 1500.0),
        ("livePaymentInterval", "duration", 5.0),
        ("pixelsPerUnit", "string", "1"),
        ("priceFeedAddr", "string", "0x639Fe6ab55C921f74e7fac1ee960C0B6293ba612"),
        ("autoAdjustPrice", "bool", True),
        ("ticketEV", "string", "8000000000"),
        ("depositMultiplier", "int", 1),
        ("startupAvailabilityCheck", "bool", True),
        ("v", "string", "3"),
    ],
)
def test_types_and_defaults(name, kind, default):
    assert flags.BY_NAME[name].kind == kind
    assert Settings()[name] == default


def test_every_flag_of_the_real_binary_is_known():
    assert len(flags.FLAGS) == len(flags.BY_NAME) == 124


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h15m", 4500), ("1.5s", 1.5), ("500ms", 0.5), ("-2s", -2), ("0", 0), ("1m0.5s", 60.5), (".5s", 0.5)],
)
def test_durations(text, seconds):
    assert parse(f"-discoveryTimeout={text}")["discoveryTimeout"] == seconds


@pytest.mark.parametrize(("text", "number"), [("0x10", 16), ("010", 8), ("0b11", 3), ("1_000", 1000), ("-3", -3)])
def test_integers_are_gos(text, number):
    assert parse(f"-maxAttempts={text}")["maxAttempts"] == number


def test_both_spellings_of_the_data_directory_write_one_variable():
    assert parse("-datadir", "/a")["dataDir"] == "/a"
    assert parse("-datadir", "/a", "-dataDir", "/b")["datadir"] == "/b"


# --- the environment -------------------------------------------------------------------------------------------
def test_environment_is_below_the_command_line_and_above_the_file(tmp_path):
    file = tmp_path / "livepeer.conf"
    file.write_text("network file\nethUrl file\ncliAddr file\n")
    environment = {"LP_NETWORK": "environment", "LP_ETHURL": "environment"}
    settings = parse("-network", "argv", "-config", str(file), environment=environment)
    assert (settings["network"], settings["ethUrl"], settings["cliAddr"]) == ("argv", "environment", "file")


def test_an_empty_variable_counts_as_unset():
    assert parse(environment={"LP_NETWORK": ""})["network"] == "offchain"


def test_a_bad_variable_is_a_config_error():
    with pytest.raises(ConfigError, match='error setting flag "aiWorker" from environment variable "LP_AIWORKER"'):
        parse(environment={"LP_AIWORKER": "maybe"})


def test_an_unknown_variable_is_ignored():
    assert parse(environment={"LP_NONSENSE": "1"})["network"] == "offchain"


def test_the_config_file_may_be_named_by_the_environment(tmp_path):
    file = tmp_path / "livepeer.conf"
    file.write_text("network x\n")
    assert parse(environment={"LP_CONFIG": str(file)})["network"] == "x"


def test_the_data_directory_variable_beats_the_capitalised_flag():
    # The variable belongs to -datadir too, which nobody gave, and both write one value.
    settings = parse("-dataDir", "/argv", environment={"LP_DATADIR": "/environment"})
    assert settings["dataDir"] == "/environment"


# --- the config file -------------------------------------------------------------------------------------------
def from_file(tmp_path, text):
    file = tmp_path / "livepeer.conf"
    file.write_text(text)
    return parse("-config", str(file))


def test_plain_lines(tmp_path):
    settings = from_file(
        tmp_path,
        "# a comment\n\n  orchestrator  \nnetwork   offchain\nserviceAddr host:8935 # not this\n"
        "LP_CLIADDR 127.0.0.1:1\nhttpIngest false\norchSecret a#b\r\n",
    )
    assert settings["orchestrator"] is True
    assert settings["serviceAddr"] == "host:8935"
    assert settings["cliAddr"] == "127.0.0.1:1"
    assert settings["httpIngest"] is False
    assert settings["orchSecret"] == "a#b"


def test_a_secret_with_space_hash_is_cut(tmp_path):
    assert from_file(tmp_path, "orchSecret top #secret\n")["orchSecret"] == "top"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("nonsense 1", 'config file flag "nonsense" not defined in flag set'),
        ("-network x", 'config file flag "-network" not defined in flag set'),
        ("network=x", 'config file flag "network=x" not defined in flag set'),
        ("network\tx", 'config file flag "network\tx" not defined'.replace("\t", r"\\t")),
        ("aiRunnerContainersPerGPU two", 'error setting flag "aiRunnerContainersPerGPU" from config file: parse error'),
        ("network x\n[orchestrator]", r'config file flag "\[orchestrator\]" not defined in flag set'),
    ],
)
def test_a_bad_line_refuses_the_file(tmp_path, line, text):
    with pytest.raises(ConfigError, match=text):
        from_file(tmp_path, line + "\n")


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file or directory"):
        parse("-config", str(tmp_path / "absent"))


def test_a_directory_reads_as_an_empty_file(tmp_path):
    assert parse("-config", str(tmp_path))["network"] == "offchain"


# --- values that may be files ----------------------------------------------------------------------------------
def test_a_value_that_names_a_file_is_its_trimmed_content(tmp_path):
    file = tmp_path / "secret"
    file.write_text("  hush\n")
    assert parse("-orchSecret", str(file)).value_or_file("orchSecret") == "hush"


def test_a_missing_or_empty_file_makes_the_path_the_secret(tmp_path):
    empty = tmp_path / "empty"
    empty.write_text("\n")
    for path in (empty, tmp_path / "absent", tmp_path):
        assert read_value_or_file(str(path)) == str(path)


def test_an_unset_value_is_empty():
    assert Settings().value_or_file("orchSecret") == ""


# --- the table of settings -------------------------------------------------------------------------------------
def test_the_table_shows_what_differs_and_hides_only_what_upstream_hides():
    settings = parse(
        *("-orchestrator", "-orchSecret", "hush", "-ethUrl", "https://rpc/key", "-discoveryTimeout", "2m"),
        *("-objectStore", "s3://key:secret@host/b", "-network", "offchain", "-ethPassword", "hush"),
    )
    rows = [line.split("|")[1:3] for line in settings.table().splitlines() if line.startswith("|")]
    assert {key.strip(): value.strip() for key, value in rows} == {
        "Orchestrator": "true",
        "OrchSecret": "***",
        "DiscoveryTimeout": "2m0s",
        "EthUrl": "https://rpc/key",
        "EthPassword": "***",
        "Objectstore": "s3://key:secret@host/b",
    }


def test_nothing_to_show():
    assert Settings().table() == "*\n*"


def test_a_flag_is_given_by_any_of_the_three(tmp_path):
    file = tmp_path / "c"
    file.write_text("pricePerUnit 0\n")
    settings = parse("-httpIngest=true", "-config", str(file), environment={"LP_LOCALVERIFY": "true"})
    assert all(settings.given(name) for name in ("httpIngest", "localVerify", "pricePerUnit"))
    assert not settings.given("reward")
