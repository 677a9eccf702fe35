#!/usr/bin/env python3
"""The way of images to a registry, and of the bases that they are made on from one."""
import base64
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import unittest

from image_testing import QUICK, ImageTest, Layout, replace


class Registries(ImageTest):
    # --- registries

    def test_pushes_only_what_is_missing(self):
        registry = self.registry()
        first = self.image("--registry", registry.host + "/team")
        digest = first[0]["digest"]
        self.assertEqual(first[0]["reference"], f"{registry.host}/team/hello/hello_writer:{digest[7:19]}")
        self.assertEqual(registry.manifest("team/hello/hello_writer", digest[7:19]), registry.manifest("team/hello/hello_writer", digest))
        # The registry keeps no list of referrers, so that there is one under a tag.
        referrers = registry.manifest("team/hello/hello_writer", "sha256-" + digest[7:])
        self.assertEqual(referrers["manifests"][0]["artifactType"], "application/spdx+json")
        self.assertIn(first[0]["layers"][0]["digest"], registry.mounted)
        self.assertEqual([each["sent"] for each in self.image("--registry", registry.host + "/team")], [0, 0])
        replace(os.path.join(self.chain, "hello_writer.c"), "%s, %s!", "%s to you, %s!")
        second = self.image("--registry", registry.host + "/team", "--tag", "v2")
        self.assertEqual(second[1]["sent"], 0)
        rest = second[0]["sent"] - second[0]["layers"][-1]["size"]
        self.assertTrue(0 < rest < 4096, second[0])  # its config, and nothing else
        self.assertEqual(registry.manifest("team/hello/hello_writer", "v2")["layers"][-1]["digest"],
                         second[0]["layers"][-1]["digest"])

    def log_in(self, host, pair):
        path = self.home.file("auth.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"auths": {host: {"auth": base64.b64encode(pair.encode()).decode()}}}, file)
        return {"REGISTRY_AUTH_FILE": path}

    def test_logs_in(self):
        for how in ("Basic", "Bearer"):
            with self.subTest(how=how):
                registry = self.registry(login=(how, "anna:pass:word"))
                self.image("--registry", registry.host + "/team", *QUICK, env=self.log_in(registry.host, "anna:pass:word"))
                self.assertTrue(any(repository == "team/hello/hello" for repository, _ in registry.manifests))
                said = self.fails("--registry", registry.host + "/team", *QUICK)
                self.assertIn(f"the registry '{registry.host}' refused", said)
                self.assertIn(f"podman login {registry.host}", said)
                said = self.fails("--registry", registry.host + "/team", *QUICK, env=self.log_in(registry.host, "anna:wrong"))
                self.assertIn("auth.json", said)
                self.assertNotIn("wrong", said.replace("wrong user or password", ""))

    def test_refusals_are_told(self):
        registry = self.registry()
        where = registry.host + "/team"
        for method, part, status, hint in (("POST", "uploads", 403, "ask whoever runs it"),
                                           ("PUT", "uploads", 413, "raise the limit"),
                                           ("HEAD", "blobs", 503, "try again later"),
                                           ("PUT", "manifests", 500, "try again later")):
            with self.subTest(status=status):
                registry.refuse = {(method, part): status}
                said = self.fails("--registry", where, *QUICK)
                self.assertIn(f"the registry '{registry.host}' refused to take", said)
                self.assertIn(f"it answered {status}", said)
                self.assertIn(hint, said)
        self.assertEqual(registry.manifests, {})  # no tag was set
        registry.close()
        said = self.fails("--registry", where, *QUICK)
        self.assertIn(f"the registry '{registry.host}' doesn't answer", said)
        self.assertIn(f"curl http://{registry.host}/v2/", said)

    def test_bad_words(self):
        for words, expected in ((("--registry", "http://"), "is no registry"),
                                (("--registry", "host:5000/Team"), "can't be a path")):
            self.assertIn(expected, self.fails(*words))
        for words in (("--tag", "v1"), ("--tag", "a b", "--registry", "x"), ("--nonsense",), ("--tls", "maybe"), ("--controller",)):
            self.fails(*words, status=2)
        for word in ("xz", "ZSTD", "", "zstd,gzip", "19"):
            self.assertIn(f"--compression is '{word}': it is zstd or gzip", self.fails("--compression", word, status=2))

    # --- bases

    def use_base(self, base):
        replace(os.path.join(self.chain, "hello_writer.h"), "CHAINLET(hello_writer", f'CHAINLET(hello_writer, .image.base = "{base}"')

    def test_base_from_layout_and_registry(self):
        registry = self.registry()
        bases = {each: self.image("--output", self.home.file(each), "--registry", registry.host + "/bases", "--tag", each,
                                  "--compression", each)[0] for each in ("zstd", "gzip")}
        places = {f"oci:{self.home.file('zstd')}:hello_writer": "zstd", f"{registry.host}/bases/hello/hello_writer:gzip": "gzip",
                  f"{registry.host}/bases/hello/hello_writer@{bases['zstd']['digest']}": "zstd"}
        before = "CHAINLET(hello_writer"
        for place, compression in places.items():
            with self.subTest(place=place):
                base = bases[compression]
                self.use_base(place)
                made = self.image()[0]
                self.assertEqual(made["layers"][:len(base["layers"])], base["layers"])
                layout = Layout(made["layout"])
                layers = layout.manifest("hello_writer")["layers"]
                self.assertEqual([each["mediaType"].rpartition("+")[2] for each in layers], 2 * [compression] + 2 * ["zstd"])
                # Its C library is used, and no other is added.
                self.assertFalse([each.name for each in layout.members(layers[2]) if ".so" in each.name])
                label = layout.document(layout.manifest("hello_writer")["config"])["config"]["Labels"]
                self.assertEqual(label["org.opencontainers.image.base.digest"], base["digest"])
                replace(os.path.join(self.chain, "hello_writer.h"), f'{before}, .image.base = "{place}"', before)
        # One that comes damaged is refused.
        registry.damage = True
        self.use_base(f"{registry.host}/bases/hello/hello_writer:gzip")
        shutil.rmtree(os.path.join(self.chain, ".chains", "images"))
        said = self.fails()
        self.assertIn("what the registry sent has the digest sha256:", said)

    def test_base_is_missing(self):
        registry = self.registry()
        for base, expected in ((f"{registry.host}/no/such:1", "refused to give '1' of 'no/such': it answered 404"),
                               ("oci:/nowhere/at/all", "'/nowhere/at/all' is no folder of images")):
            with self.subTest(base=base):
                self.use_base(base)
                said = self.fails()
                self.assertIn(expected, said)
                self.assertIn("hint:", said)
                replace(os.path.join(self.chain, "hello_writer.h"), f', .image.base = "{base}"', "")

    def test_base_is_too_old(self):
        """A base of one layer, whose C library knows nothing newer than GLIBC_2.2.5."""
        tree = self.home.file("tree")
        blobs = self.home.file("old/blobs/sha256")
        os.makedirs(os.path.join(tree, "lib"))
        os.makedirs(blobs)
        for name, text in (("libc.c", "int odd(void) { return 1; }"), ("libc.map", "GLIBC_2.2.5 { odd; };")):
            with open(self.home.file(name), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-nostdlib", self.home.file("libc.c"), "-o", os.path.join(tree, "lib", "libc.so.6"),
                        "-Wl,-soname,libc.so.6,--version-script," + self.home.file("libc.map")], check=True)
        with tarfile.open(self.home.file("layer.tar"), "w") as archive:
            archive.add(os.path.join(tree, "lib"), "lib")
        with open(self.home.file("layer.tar"), "rb") as file:
            plain = file.read()

        def blob(data, kind):
            data = data if isinstance(data, bytes) else json.dumps(data).encode()
            digest = hashlib.sha256(data).hexdigest()
            with open(os.path.join(blobs, digest), "wb") as file:
                file.write(data)
            return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest, "size": len(data)}

        made = self.image("--output", self.home.file("first"), *QUICK)[0]
        first = Layout(made["layout"])
        architecture = first.document(first.manifest("hello_writer")["config"])["architecture"]
        config = {"architecture": architecture, "os": "linux",
                  "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}}
        manifest = {"schemaVersion": 2, "config": blob(config, "config.v1+json"),
                    "layers": [blob(gzip.compress(plain), "layer.v1.tar+gzip")]}
        index = {"schemaVersion": 2, "manifests": [blob(manifest, "manifest.v1+json")]}
        for name, document in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
            with open(self.home.file("old/" + name), "w", encoding="utf-8") as file:
                json.dump(document, file)
        self.use_base("oci:" + self.home.file("old"))
        said = self.fails()
        self.assertRegex(said, "'hello_writer' needs GLIBC_[0-9.]+ of 'libc.so.6', and that of the base or of the packages is too old")
        self.assertIn("newer one", said)
        config["architecture"] = "sparc"
        manifest["config"] = blob(config, "config.v1+json")
        index["manifests"] = [blob(manifest, "manifest.v1+json")]
        with open(self.home.file("old/index.json"), "w", encoding="utf-8") as file:
            json.dump(index, file)
        self.assertIn("is for sparc, and this machine is", self.fails())


if __name__ == "__main__":
    unittest.main()
