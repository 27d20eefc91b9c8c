# Copyright (c) 2026, livepeer.ai contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nvidia-smi prints, of every driver generation, turned into plain values. Private to the collection."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape, unescape

# What stands in a field that has no value. Anything else that is not a value tells of a broken GPU.
ABSENT = ("", "n/a", "none", "not supported", "[n/a]", "[not supported]", "requested functionality has been deprecated")
BROKEN = re.compile(r"GPU is lost|GPU requires reset|Unknown Error|ERR!|fallen off the bus", re.IGNORECASE)
UNITS = {"B": 1, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
AMOUNT = re.compile(r"\[?\s*(\d+)\s*([KMG]?i?B)?\s*\]?", re.IGNORECASE)
LISTED_GPU = re.compile(r"^GPU (\d+): .*\(UUID: (GPU-[^)]+)\)")
LISTED_MIG = re.compile(r"^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)")
CAPABILITY = re.compile(r"\d+\.\d+")
VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")
# Text around the document: some failures of one GPU are told before or instead of it.
DOCUMENT = re.compile(r"<nvidia_smi_log>.*</nvidia_smi_log>", re.DOTALL)
# nvidia-smi prints a process's name as it is, also when it holds the signs that XML keeps for itself.
NAME = re.compile(r"(<process_name>)(.*?)(</process_name>)", re.DOTALL)
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
LONGEST_COMPLAINT = 300


def pci_address(text):
    """An address as sysfs writes it, 0000:65:00.0, from 00000000:65:00.0, 0000:65:00 or 65:00.0; else empty."""
    match = re.fullmatch(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})(?:\.([0-9a-f]))?", text.strip().lower())
    if not match:
        return ""
    domain, bus, device, function = match.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{device}.{function or '0'}"


def amount(text):
    """Bytes of "24564 MiB", None where no number stands."""
    match = AMOUNT.fullmatch(text.strip())
    return int(match.group(1)) * UNITS[(match.group(2) or "MiB").upper()] if match else None


def value(text):
    """A field's text, empty where it says that it has none or that it cannot be read."""
    text = " ".join(text.split())
    return "" if text.lower() in ABSENT or BROKEN.search(text) else text


def complaint(text):
    """The lines of an output that are not part of its document, as one line."""
    outside = re.sub(r"<\?xml[^>]*>|<!DOCTYPE[^>]*>", "", DOCUMENT.sub("", text))
    lines = [line.strip() for line in outside.splitlines() if line.strip() and not line.lstrip().startswith("<")]
    return " ".join(lines)[:LONGEST_COMPLAINT]


def _document(text):
    match = DOCUMENT.search(text)
    if not match:
        return None
    body = UNPRINTABLE.sub("", match.group(0))
    body = NAME.sub(lambda name: name.group(1) + escape(unescape(name.group(2))) + name.group(3), body)
    try:
        return ET.fromstring(body)
    except ET.ParseError:
        return None


def _text(element, path):
    return (element.findtext(path) or "").strip()


def read_report(text):
    """`nvidia-smi -q -x` as {driver_version, cuda_version, gpus, processes}, or None if it cannot be understood."""
    log = _document(text)
    if log is None:
        return None
    # R610 names the versions of kernel and library apart and keeps the old names until CUDA 14.
    cuda = value(_text(log, "cuda_umd_version")) or value(_text(log, "cuda_version"))
    driver = value(_text(log, "kmd_version")) or value(_text(log, "driver_version"))
    gpus = [_gpu(index, gpu) for index, gpu in enumerate(log.findall("gpu"))]
    return {
        "driver_version": driver if VERSION.fullmatch(driver) else "",
        "cuda_version": cuda if VERSION.fullmatch(cuda) else "",
        "gpus": gpus,
        "processes": [process for gpu in log.findall("gpu") for process in _processes(gpu)],
    }


def _gpu(index, gpu):
    memory = {name: amount(_text(gpu, f"fb_memory_usage/{name}")) for name in ("total", "free", "used")}
    return {
        "index": index,
        "uuid": value(_text(gpu, "uuid")),
        "name": value(_text(gpu, "product_name")),
        "brand": value(_text(gpu, "product_brand")),
        "pci_bus_id": pci_address(_text(gpu, "pci/pci_bus_id") or gpu.get("id", "")),
        "memory_total": memory["total"],
        "memory_free": memory["free"],
        "memory_used": memory["used"],
        "compute_capability": "",
        "mig_enabled": _text(gpu, "mig_mode/current_mig") == "Enabled",
        "mig_pending": _text(gpu, "mig_mode/current_mig") != _text(gpu, "mig_mode/pending_mig"),
        "mig_devices": [_mig_device(device) for device in gpu.findall("mig_devices/mig_device")],
        "persistence": _text(gpu, "persistence_mode") == "Enabled",
        "compute_mode": value(_text(gpu, "compute_mode")),
        "fabric_state": value(_text(gpu, "fabric/state")),
        "recovery_action": value(_text(gpu, "gpu_recovery_action")),
        "memory_repair": _memory_repair(gpu),
        "problem": _problem(gpu),
    }


def _mig_device(device):
    return {
        "uuid": value(_text(device, "uuid")),
        "profile": "",
        "memory_total": amount(_text(device, "fb_memory_usage/total")),
    }


def _memory_repair(gpu):
    """failed, pending or empty: whether the GPU replaces bad rows of its memory."""
    if _text(gpu, "remapped_rows/remapped_row_failure") == "Yes":
        return "failed"
    pending = (
        "remapped_rows/remapped_row_pending",
        "retired_pages/pending_retirement",
        "retired_pages/pending_blacklist",
    )
    return "pending" if "Yes" in (_text(gpu, path) for path in pending) else ""


def _problem(gpu):
    """What the GPU's own fields say of it if it is broken, else empty."""
    for element in gpu.iter():
        # A name of a process may say anything.
        match = BROKEN.search(element.text or "") if element.tag != "process_name" else None
        if match:
            return match.group(0)
    return ""


def _processes(gpu):
    for process in gpu.findall("processes/process_info"):
        pid = _text(process, "pid")
        if pid.isdigit():
            yield {
                "gpu_uuid": value(_text(gpu, "uuid")),
                "pid": int(pid),
                "name": _text(process, "process_name"),
                "type": value(_text(process, "type")),
                "memory_used": amount(_text(process, "used_memory")),
                "container_id": "",
            }


def read_capabilities(text):
    """`--query-gpu=index,uuid,compute_cap --format=csv,noheader` as {uuid: (index, capability or empty)}."""
    found = {}
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 3 and fields[0].isdigit() and fields[1].startswith("GPU-"):
            found[fields[1]] = (int(fields[0]), fields[2] if CAPABILITY.fullmatch(fields[2]) else "")
    return found


def read_listing(text):
    """`nvidia-smi -L` as {uuid: (index, [(profile, uuid) of each MIG device])}."""
    found, devices = {}, []
    for line in text.splitlines():
        gpu, device = LISTED_GPU.match(line), LISTED_MIG.match(line)
        if gpu:
            devices = []
            found[gpu.group(2)] = (int(gpu.group(1)), devices)
        elif device:
            devices.append((device.group(1), device.group(2)))
    return found


def complete(gpus, capabilities, listing):
    """Fill in what the document lacks: true indexes, capabilities, profiles and UUIDs of MIG devices."""
    for gpu in gpus:
        index, gpu["compute_capability"] = capabilities.get(gpu["uuid"], (None, ""))
        listed, devices = listing.get(gpu["uuid"], (None, []))
        for told in (index, listed):
            if told is not None:
                gpu["index"] = told
                break
        if len(devices) == len(gpu["mig_devices"]):
            for device, (profile, uuid) in zip(gpu["mig_devices"], devices):
                device["profile"], device["uuid"] = profile, device["uuid"] or uuid
    gpus.sort(key=lambda gpu: gpu["index"])


EMPTY = {"driver_version": "", "cuda_version": "", "gpus": [], "processes": []}


def ask(host, seconds):
    """(report, error): everything that nvidia-smi tells, and in its words what it could not."""
    outcome = host.run("nvidia-smi", "-q", "-x", seconds=seconds)
    if outcome.missing:
        return EMPTY, "nvidia-smi is not installed"
    if outcome.timed_out:
        return EMPTY, f"nvidia-smi did not answer within {seconds:g} seconds"
    report, error = read_report(outcome.out), complaint(f"{outcome.out}\n{outcome.err}")
    if report is None:
        return EMPTY, error or f"nvidia-smi exited with {outcome.code} and printed nothing that can be understood"
    if report["gpus"]:
        # Drivers before R510 know no compute_cap, and refuse the whole query.
        asked = host.run("nvidia-smi", "--query-gpu=index,uuid,compute_cap", "--format=csv,noheader", seconds=seconds)
        capabilities = read_capabilities(asked.out if asked.ok else "")
        listing = {}
        if not capabilities or any(gpu["mig_devices"] for gpu in report["gpus"]):
            listing = read_listing(host.run("nvidia-smi", "-L", seconds=seconds).out)
        complete(report["gpus"], capabilities, listing)
    return report, error or ("" if outcome.ok else f"nvidia-smi exited with {outcome.code}")
