"""Reads files that gradus wrote; returns what a record keeps of them: digests and masked metadata.

Only the parts of each format that gradus writes are understood.
"""

import hashlib
import json
import re
import struct
import zipfile

MASK = "(masked)"
# Times, the number of threads, the version of the program: they differ between runs that have the same result.
MASKED_KEYS = {"seconds", "train_seconds", "total_seconds", "threads", "gradus"}


class Broken(Exception):
    """A file is not what its format says; the message names it."""


def digest(content):
    return hashlib.sha256(content).hexdigest()


def masked(value, replaced=()):
    """A copy of a JSON value with run-dependent items masked. `replaced`: pairs of a text, such as a path, and
    its replacement.
    """
    if isinstance(value, dict):
        return {
            key: MASK if key in MASKED_KEYS and item is not None else masked(item, replaced)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item, replaced) for item in value]
    if isinstance(value, str):
        for text, stand_in in replaced:
            value = value.replace(text, stand_in)
    return value


def metadata(texts):
    """A model's metadata, with JSON objects and arrays parsed and masked."""
    found = {}
    for name, text in sorted(texts.items()):
        found[name] = masked(json.loads(text)) if text[:1] in ("{", "[") else text
    return found


def safetensors(path):
    """Reads a safetensors file: (name -> type, shape, bytes; name -> text of the metadata)."""
    content = path.read_bytes()
    try:
        (length,) = struct.unpack_from("<Q", content)
        header = json.loads(content[8 : 8 + length])
        texts = header.pop("__metadata__", {})
        data = memoryview(content)[8 + length :]
        tensors = {}
        for name, entry in sorted(header.items()):
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end <= len(data):
                raise ValueError(f"tensor {name} lies outside the file")
            tensors[name] = (entry["dtype"], entry["shape"], data[begin:end])
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise Broken(f"{path.name} is not a safetensors file: {error}") from error
    return tensors, texts


def tensors_digest(tensors):
    """One SHA-256 over name, type, shape and bytes of all tensors, in the order of their names."""
    total = hashlib.sha256()
    for name, (kind, shape, data) in sorted(tensors.items()):
        total.update(f"{name} {kind} {shape}\n".encode())
        total.update(data)
    return total.hexdigest()


def model(path):
    """A model file: the digest of its tensors, that of the whole file, its metadata."""
    tensors, texts = safetensors(path)
    return {
        "tensors": tensors_digest(tensors),
        "file": digest(path.read_bytes()),
        "metadata": metadata(texts),
    }


def checkpoint(path):
    """A checkpoint: a digest per tensor, and the metadata. The file as a whole contains times, and so does its digest in it."""
    tensors, texts = safetensors(path)
    texts.pop("sha256", None)
    digests = {name: tensors_digest({name: tensor}) for name, tensor in tensors.items()}
    return {"tensors": digests, "metadata": metadata(texts)}


def npz(path):
    """A NumPy archive: a digest per array, and of the whole file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: digest(archive.read(name)) for name in sorted(archive.namelist())}
    return {"arrays": members, "file": digest(path.read_bytes())}


def onnx(path):
    """An ONNX model: digests of its graph and of the whole file, its metadata.

    The graph is hashed by itself because metadata may gain keys, and the file names the version that wrote it.
    """
    content = path.read_bytes()
    graph, texts = None, {}
    for number, value in protobuf(content, path):
        if number == 7:
            graph = digest(value)
        elif number == 14:
            pair = dict(protobuf(value, path))
            texts[pair[1].decode()] = pair[2].decode()
    if graph is None:
        raise Broken(f"{path.name} is not an ONNX model: it has no graph")
    return {"graph": graph, "file": digest(content), "metadata": metadata(texts)}


def protobuf(content, path):
    """The fields of one protobuf message, in order: (field number, bytes or integer)."""
    place = 0

    def varint():
        nonlocal place
        value = shift = 0
        while True:
            byte = content[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    fields = []
    try:
        while place < len(content):
            tag = varint()
            if tag & 7 == 0:
                fields.append((tag >> 3, varint()))
                continue
            length = {1: 8, 5: 4}.get(tag & 7) or varint()
            fields.append((tag >> 3, content[place : place + length]))
            place += length
    except IndexError as error:
        raise Broken(f"{path.name} ends within a field") from error
    return fields


def page(path):
    """The digit page: digests of the model inside, and of the whole page with the version masked."""
    text = path.read_text()
    found = re.search(r'<script[^>]*\bid="model"[^>]*>(.*?)</script>', text, re.DOTALL)
    if not found:
        raise Broken(f"{path.name} has no element `model`")
    text = re.sub(r'(<meta name="generator" content="gradus )[^"]*', r"\1" + MASK, text)
    return {"model": digest(found[1].encode()), "page": digest(text.encode())}
