"""What tests of `chains image` share: a chain to make images of, and a reader of layouts that has no code of ours."""
import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
import unittest

from chains_testing import Home
from image_registry import ImageRegistry

QUICK = ("--compression", "gzip")  # for tests to which it is all the same


def replace(path, old, new):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if old not in text:
        raise AssertionError(f"{path} has no {old}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))


class Layout:
    """An OCI layout, read without any code of ours."""

    def __init__(self, folder):
        self.folder = folder
        self.index = self.load(os.path.join(folder, "index.json"))

    @staticmethod
    def load(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    def path(self, digest):
        return os.path.join(self.folder, "blobs", "sha256", digest.removeprefix("sha256:"))

    def blob(self, descriptor):
        with open(self.path(descriptor["digest"]), "rb") as file:
            data = file.read()
        if "sha256:" + hashlib.sha256(data).hexdigest() != descriptor["digest"] or len(data) != descriptor["size"]:
            raise AssertionError(f"{descriptor} isn't what it says")
        return data

    def document(self, descriptor):
        return json.loads(self.blob(descriptor))

    def named(self, name):
        return next(each for each in self.index["manifests"]
                    if each.get("annotations", {}).get("org.opencontainers.image.ref.name") == name)

    def manifest(self, name):
        return self.document(self.named(name))

    def tar(self, layer):
        """A layer's archive, unpacked by the tools of others."""
        kind = layer["mediaType"].removeprefix("application/vnd.oci.image.layer.v1.tar+")
        if kind == "gzip":
            return gzip.decompress(self.blob(layer))
        assert kind == "zstd", layer
        return subprocess.run(["zstd", "-dc"], input=self.blob(layer), capture_output=True, check=True).stdout

    def open(self, layer):
        return tarfile.open(fileobj=io.BytesIO(self.tar(layer)))

    def members(self, layer):
        with self.open(layer) as archive:
            return archive.getmembers()

    def unpack(self, name, folder):
        for layer in self.manifest(name)["layers"]:
            with self.open(layer) as archive:
                archive.extractall(folder)
        return folder


class ImageTest(unittest.TestCase):
    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.home.env.update(REGISTRY_AUTH_FILE="", XDG_RUNTIME_DIR=self.home.file("run"), HOME=self.home.path)
        self.home.env.pop("DOCKER_CONFIG", None)
        self.chain = self.home.copy("examples/hello")

    def registry(self, **options):
        registry = ImageRegistry(**options)
        self.addCleanup(registry.close)
        return registry

    def image(self, *words, **options):
        """Without TLS, unless words say so: most of what is compressed is that."""
        tls = () if "--tls" in words else ("--tls", "off")
        return json.loads(self.home.good("image", self.chain, "--json", *tls, *words, **options))

    def fails(self, *words, status=1, **options):
        done = self.home.chains("image", self.chain, *words, **options)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn("oci:", done.stdout)
        return done.stderr
