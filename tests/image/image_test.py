#!/usr/bin/env python3
"""`chains image`: what an image holds, that the same input gives the same one, and that it runs."""
import hashlib
import json
import os
import shutil
import subprocess
import unittest

from image_testing import QUICK, ImageTest, Layout, replace


class Image(ImageTest):
    # --- what it holds

    def test_holds_what_it_needs(self):
        made = self.image()
        self.assertEqual([each["name"] for each in made], ["hello_writer", "hello"])
        layout = Layout(os.path.join(self.chain, ".chains", "images"))
        named = layout.named("hello_writer")
        self.assertEqual(named["digest"], made[0]["digest"])
        manifest = layout.manifest("hello_writer")
        config = layout.document(manifest["config"])
        self.assertEqual(config["config"]["User"], "65532:65532")
        self.assertEqual(config["config"]["Entrypoint"], ["/chains/service"])
        self.assertEqual(config["config"]["Cmd"], ["--listen", "http://0.0.0.0:8080"])
        self.assertEqual(config["config"]["Labels"]["dev.chains.chainlet"], "hello_writer")
        self.assertNotIn("null", json.dumps([manifest, config, layout.index]))
        self.assertEqual(len(manifest["layers"]), len(config["rootfs"]["diff_ids"]))
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
            self.assertEqual("sha256:" + hashlib.sha256(layout.tar(layer)).hexdigest(), diff_id)
            for member in layout.members(layer):
                self.assertEqual((member.uid, member.gid, member.mtime, member.uname), (0, 0, 0, ""), member.name)
        first = {member.name for member in layout.members(manifest["layers"][0])}
        self.assertIn("etc/ssl/certs/ca-certificates.crt", first)
        self.assertTrue(any(name.endswith("/libc.so.6") for name in first), first)
        self.assertEqual([member.name for member in layout.members(manifest["layers"][-1])], ["chains", "chains/service"])
        # Both Chainlets share what isn't theirs.
        self.assertEqual(manifest["layers"][0], layout.manifest("hello")["layers"][0])

    def test_is_small(self):
        """With all that is in it by default."""
        made = json.loads(self.home.good("image", self.chain, "--json"))[0]
        layout = Layout(made["layout"])
        manifest = layout.manifest("hello_writer")
        self.assertEqual({each["mediaType"] for each in manifest["layers"]}, {"application/vnd.oci.image.layer.v1.tar+zstd"})
        whole = sum(each["size"] for each in [layout.named("hello_writer"), manifest["config"], *manifest["layers"]])
        self.assertEqual(made["size"], whole)
        if not os.environ.get("CHAINS_TEST_SANITIZE"):  # of which the service has much with it
            self.assertLess(whole, 3 << 20)

    def test_tls_is_a_matter_of_choice(self):
        """Its libraries are opened late, and two thirds of an image."""
        def libraries():
            layout = Layout(os.path.join(self.chain, ".chains", "images"))
            members = layout.members(layout.manifest("hello")["layers"][0])
            return {os.path.basename(member.name) for member in members if member.isfile()}
        with_tls = self.image("--tls", "on", *QUICK)[0]["size"]
        self.assertLessEqual({"libssl.so.3", "libcrypto.so.3", "libc.so.6"}, libraries())
        without = self.image("--tls", "off", *QUICK)[0]["size"]
        self.assertFalse({"libssl.so.3", "libcrypto.so.3"} & libraries())
        self.assertLess(without, with_tls - (1 << 20))

    def test_compression_is_a_matter_of_choice(self):
        def kinds(made):
            layout = Layout(made["layout"])
            return [each["mediaType"].rpartition("+")[2] for each in layout.manifest("hello_writer")["layers"]]

        def holds(made):
            layout = Layout(made["layout"])
            manifest = layout.manifest("hello_writer")
            return layout.document(manifest["config"])["rootfs"]["diff_ids"]

        usual = self.image()[0]
        told, inside = kinds(usual), holds(usual)
        self.assertEqual(told, ["zstd", "zstd"])
        same = self.image("--compression", "zstd")[0]
        self.assertEqual(same["digest"], usual["digest"])
        other = self.image("--compression", "gzip")[0]
        self.assertEqual(kinds(other), ["gzip", "gzip"])
        self.assertEqual(holds(other), inside)
        self.assertNotEqual(other["digest"], usual["digest"])
        self.assertLess(usual["size"], other["size"])
        # And back: what is remembered of one isn't taken for the other's.
        self.assertEqual(self.image()[0]["digest"], usual["digest"])
        self.assertEqual(holds(self.image("--compression", "gzip")[0]), inside)

    def test_the_controller(self):
        """chainsd, with what it opens late."""
        registry = self.registry()
        out = self.home.file("out")
        words = ("image", "--controller", "--output", out, "--json", "--registry", registry.host + "/team", "--tag", "v1", *QUICK)
        made = json.loads(self.home.good(*words))
        self.assertEqual([each["name"] for each in made], ["chainsd"])
        self.assertEqual(made[0]["reference"], f"{registry.host}/team/chains/chainsd:v1")
        layout = Layout(out)
        manifest = layout.manifest("chainsd")
        config = layout.document(manifest["config"])["config"]
        self.assertEqual((config["Entrypoint"], config["Cmd"], config["User"]), (["/chains/chainsd"], ["--kubernetes"], "65532:65532"))
        self.assertEqual(list(config["ExposedPorts"]), ["8600/tcp"])
        names = {os.path.basename(member.name) for member in layout.members(manifest["layers"][0])}
        self.assertLessEqual({"libcurl.so.4", "libuv.so.1", "libsqlite3.so.0", "libssl.so.3", "ca-certificates.crt"}, names)
        again = json.loads(self.home.good(*words))
        self.assertEqual((again[0]["digest"], again[0]["sent"] < 10000), (made[0]["digest"], True))

    def test_packages_are_told(self):
        made = self.image(*QUICK)[0]
        layout = Layout(made["layout"])
        attached = [each for each in layout.index["manifests"]
                    if each.get("artifactType") == "application/spdx+json"
                    and layout.document(each)["subject"]["digest"] == made["digest"]]
        self.assertEqual(len(attached), 1)
        blob = layout.blob(layout.document(attached[0])["layers"][0])
        with open(made["sbom"], "rb") as file:
            self.assertEqual(file.read(), blob)
        document = json.loads(blob)
        self.assertEqual(document["spdxVersion"], "SPDX-2.3")
        ids = {each["SPDXID"] for each in document["packages"]} | {"SPDXRef-DOCUMENT"}
        for relation in document["relationships"]:
            self.assertLessEqual({relation["spdxElementId"], relation["relatedSpdxElement"]}, ids)
        if not shutil.which("dpkg-query"):
            self.skipTest("no dpkg")
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}\n", "libc6"], text=True, capture_output=True,
                                 check=True).stdout.split()[0]
        libc = next(each for each in document["packages"] if each["name"] == "libc6")
        self.assertEqual(libc["versionInfo"], version)

    def test_same_input_same_digest(self):
        first = self.image()
        second = self.image("--output", self.home.file("other"), env={"TZ": "Asia/Tokyo"})
        self.assertEqual([each["digest"] for each in first], [each["digest"] for each in second])
        # With nothing remembered, and other times of files.
        os.utime(os.path.join(self.chain, ".chains", "bin", "hello"), (1, 1))
        os.remove(os.path.join(first[0]["layout"], "layers"))
        self.assertEqual([each["digest"] for each in self.image()], [each["digest"] for each in first])

    def test_change_of_code_changes_last_layer(self):
        first = self.image()[0]
        replace(os.path.join(self.chain, "hello_writer.c"), "%s, %s!", "%s to you, %s!")
        second = self.image()[0]
        self.assertEqual(first["layers"][:-1], second["layers"][:-1])
        self.assertNotEqual(first["layers"][-1], second["layers"][-1])
        # What no name leads to any more is gone.
        names = os.listdir(os.path.join(second["layout"], "blobs", "sha256"))
        self.assertNotIn(first["layers"][-1]["digest"].removeprefix("sha256:"), names)
        self.assertIn(second["layers"][-1]["digest"].removeprefix("sha256:"), names)

    def test_files_and_variables(self):
        replace(os.path.join(self.chain, "hello_writer.h"), "CHAINLET(hello_writer",
                'CHAINLET(hello_writer, .image = { .files = { "words/list.txt", "tool" } }, .env = {{ "MOOD", "good" }}')
        os.makedirs(os.path.join(self.chain, "words"))
        for name, mode in (("words/list.txt", 0o600), ("tool", 0o700)):
            with open(os.path.join(self.chain, name), "w", encoding="utf-8") as file:
                file.write(name)
            os.chmod(os.path.join(self.chain, name), mode)
        made = self.image(*QUICK)[0]
        layout = Layout(made["layout"])
        manifest = layout.manifest("hello_writer")
        files = {member.name: member.mode for member in layout.members(manifest["layers"][1])}
        self.assertEqual(files, {"chains": 0o755, "chains/words": 0o755, "chains/words/list.txt": 0o644, "chains/tool": 0o755})
        self.assertIn("MOOD=good", layout.document(manifest["config"])["config"]["Env"])
        os.remove(os.path.join(self.chain, "tool"))
        said = self.fails()
        self.assertIn("the file 'tool' of .image.files of 'hello_writer' is not there", said)
        self.assertIn("hint:", said)

    # --- it runs

    def test_runs_from_its_files(self):
        if os.geteuid() != 0 or not shutil.which("unshare"):
            self.skipTest("chroot is for root")
        if os.environ.get("CHAINS_TEST_SANITIZE"):
            self.skipTest("a sanitizer needs /proc")
        made = self.image()[0]
        root = Layout(made["layout"]).unpack("hello_writer", self.home.file("root"))
        os.chmod(self.home.path, 0o755)
        shell = ('mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
                 'exec chroot --userspec=65532:65532 "$0" /chains/service --listen http://127.0.0.1:0')
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", shell, root], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        try:
            address = process.stdout.readline().strip()
            if not address:
                said = process.stderr.read()
                if "ermitted" in said or "denied" in said:
                    self.skipTest(said)
                self.fail(said)
            answer = subprocess.run(["curl", "-s", "-H", "Content-Type: application/json", "-d", '{"word": "moon"}',
                                     address + "/run_remote"], text=True, capture_output=True, check=True).stdout
            self.assertEqual(json.loads(answer), "Hello, moon!")
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        self.assertEqual(process.returncode, 0)

    def test_other_tools_read_it(self):
        missing = [each for each in ("skopeo", "umoci") if not shutil.which(each)]
        if missing:
            self.skipTest(f"{' and '.join(missing)} not installed")
        for compression in ("zstd", "gzip"):
            made = self.image("--compression", compression)[0]
            source = f"oci:{made['layout']}:hello_writer"
            told = subprocess.run(["skopeo", "inspect", source], text=True, capture_output=True, check=True).stdout
            self.assertEqual(json.loads(told)["Digest"], made["digest"])
            subprocess.run(["skopeo", "copy", "--insecure-policy", "--dest-decompress", source, "dir:" + self.home.file(compression)],
                           capture_output=True, check=True)
            layout = Layout(made["layout"])
            for digest in layout.document(layout.manifest("hello_writer")["config"])["rootfs"]["diff_ids"]:
                self.assertIn(digest.removeprefix("sha256:"), os.listdir(self.home.file(compression)))
        # This one knows gzip alone.
        bundle = self.home.file("bundle")
        words = ["umoci", "unpack", "--image", f"{made['layout']}:hello_writer", bundle]
        subprocess.run(words + ([] if os.geteuid() == 0 else ["--rootless"]), capture_output=True, check=True)
        self.assertTrue(os.access(os.path.join(bundle, "rootfs", "chains", "service"), os.X_OK))

    # --- packages

    def make_repository(self):
        """One package of apt, with a library in it, and apt's settings that know of nothing else."""
        folder = self.home.file("repository")
        tree = os.path.join(folder, "tree")
        for name in ("tree/DEBIAN", "tree/usr/share/odd", "tree/usr/share/man/man1", "tree/lib/odd", "lists/partial", "parts"):
            os.makedirs(os.path.join(folder, name))
        architecture = subprocess.run(["dpkg", "--print-architecture"], text=True, capture_output=True, check=True).stdout.strip()
        control = f"Package: odd-words\nVersion: 1.2-3\nArchitecture: {architecture}\nMaintainer: none\nDescription: words\n"
        for name, text in (("DEBIAN/control", control), ("DEBIAN/postinst", "#!/bin/sh\nexit 1\n"), ("usr/share/odd/words", "moon"),
                           ("usr/share/man/man1/odd.1", "man"), ("lib/odd/more", "sun")):
            with open(os.path.join(tree, name), "w", encoding="utf-8") as file:
                file.write(text)
        os.chmod(os.path.join(tree, "DEBIAN", "postinst"), 0o755)
        deb = os.path.join(folder, "odd.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
        with open(deb, "rb") as file:
            data = file.read()
        with open(os.path.join(folder, "Packages"), "w", encoding="utf-8") as file:
            file.write(control + f"Filename: ./odd.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n")
        settings = os.path.join(folder, "apt.conf")
        with open(os.path.join(folder, "sources.list"), "w", encoding="utf-8") as file:
            file.write(f"deb [trusted=yes] copy:{folder} ./\n")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(f'Dir::Etc::sourcelist "{folder}/sources.list";\nDir::Etc::sourceparts "{folder}/parts";\n'
                       f'Dir::State::lists "{folder}/lists";\nAPT::Sandbox::User "";\n')
        env = {"APT_CONFIG": settings}
        subprocess.run(["apt-get", "update", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "-o",
                        "Debug::NoLocking=1"], check=True, capture_output=True, env=dict(os.environ, **env))
        return env

    def test_packages_of_apt(self):
        if not shutil.which("apt-get"):
            self.skipTest("no apt")
        env = self.make_repository()
        header = os.path.join(self.chain, "hello_writer.h")
        replace(header, "CHAINLET(hello_writer", 'CHAINLET(hello_writer, .image.apt = { "odd-words" }')
        made = self.image(*QUICK, env=env)[0]
        layout = Layout(made["layout"])
        manifest = layout.manifest("hello_writer")
        names = {member.name for member in layout.members(manifest["layers"][0])}
        self.assertLessEqual({"usr/share/odd/words", "usr/lib/odd/more", "lib"}, names)
        self.assertNotIn("usr/share/man/man1/odd.1", names)
        with open(made["sbom"], encoding="utf-8") as file:
            packages = {each["name"]: each["versionInfo"] for each in json.load(file)["packages"]}
        self.assertEqual(packages["odd-words"], "1.2-3")
        replace(header, "odd-words", "odd-wrods")
        said = self.fails(env=env)
        self.assertIn("can't get the packages of .image.apt (odd-wrods): E: Unable to locate package odd-wrods", said)
        self.assertIn("apt-get update", said)

    # --- other bad days

    def test_output_of_others_is_left_alone(self):
        os.makedirs(self.home.file("mine"))
        with open(self.home.file("mine/thesis.txt"), "w", encoding="utf-8") as file:
            file.write("chapter 1")
        said = self.fails("--output", self.home.file("mine"))
        self.assertIn("holds other things than images", said)
        self.assertEqual(os.listdir(self.home.file("mine")), ["thesis.txt"])

    def test_library_is_missing(self):
        folder = self.home.file("lib")
        os.makedirs(folder)
        source = self.home.file("odd.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("int odd(void) { return 1; }\n")
        library = os.path.join(folder, "libodd.so")
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", library, "-Wl,-soname,libodd.so.7"], check=True)
        plugin = os.path.join(self.chain, "plugin.so")
        with open(source, "w", encoding="utf-8") as file:
            file.write("int odd(void); int even(void) { return !odd(); }\n")
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", plugin, library], check=True)
        replace(os.path.join(self.chain, "hello_writer.h"), "CHAINLET(hello_writer",
                'CHAINLET(hello_writer, .image.files = { "plugin.so" }')
        said = self.fails()
        self.assertIn("the library 'libodd.so.7', which 'plugin.so' needs, is not on this machine", said)
        self.assertIn(".image.apt", said)
        os.rename(library, os.path.join(folder, "libodd.so.7"))
        made = self.image(*QUICK, env={"LD_LIBRARY_PATH": folder})[0]
        layout = Layout(made["layout"])
        names = [each.name for each in layout.members(layout.manifest("hello_writer")["layers"][0])]
        self.assertTrue(any(name.endswith("/libodd.so.7") for name in names), names)

    def test_full_disk(self):
        folder = self.home.file("small")
        os.makedirs(folder)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("nobody may mount anything here")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        said = self.fails("--output", os.path.join(folder, "images"))
        self.assertIn("No space left on device", said)
        self.assertIn("make room there", said)
        self.assertFalse([name for name in os.listdir(os.path.join(folder, "images", "blobs", "sha256"))
                          if name.startswith(".part")])


if __name__ == "__main__":
    unittest.main()
