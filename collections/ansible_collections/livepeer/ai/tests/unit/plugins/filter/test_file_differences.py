# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.livepeer.ai.plugins.filter.file_differences import file_differences


def test_only_files_that_differ_are_told():
    results = [
        {"path": "/same", "diff": [{"before": "a\n", "after": "a\n"}]},
        {"path": "/mine", "diff": [{"before": "a\nmine\n", "after": "a\n"}, {"before": {"mode": "0600"}, "after": {}}]},
        {"path": "/none"},
        {"path": "/one", "diff": {"before": "", "after": "new\n"}},
    ]
    assert file_differences(results) == [
        {"path": "/mine", "text": "--- yours\n+++ template\n@@ -1,2 +1 @@\n a\n-mine"},
        {"path": "/one", "text": "--- yours\n+++ template\n@@ -0,0 +1 @@\n+new"},
    ]


def test_a_result_that_names_no_file_is_called_by_its_task():
    result = {"item": {"invocation": {"module_args": {"path": "/p"}}}, "diff": [{"before": "a", "after": "b"}]}
    assert file_differences([result])[0]["path"] == "/p"


def test_a_loop_over_nothing_has_no_differences():
    assert file_differences([]) == []
