"""Assets of deployments: fetched, verified, shared, let go of; and what becomes of a deployment whose assets can't be had."""
import glob
import json
import os
import resource
import signal
import socket
import unittest

from asset_site import AssetSite, content, digest
from chains_testing import wait_until
from daemon_testing import DaemonTest, service

MIB = 1024 * 1024
SMALL = content(100_000)
LARGE = content(17 * MIB, 2)  # enough for two ranges


class AssetsTest(DaemonTest):
    def setUp(self):
        super().setUp()
        self.site = AssetSite()
        self.addCleanup(self.site.close)
        self.site.files = {"/small": SMALL, "/large": LARGE}
        self.daemon = self.start()

    def folder(self, chain="x", chainlet=None, **more):
        """Where a Chainlet's process is told that its assets are."""
        return self.daemon.call(chain, "report", chainlet=chainlet, **more).json()["environment"]["CHAINS_ASSETS_DIR"]

    def read(self, name, **more):
        with open(os.path.join(self.folder(**more), name), "rb") as file:
            return file.read()

    def stored(self, data):
        return self.daemon.home_file("assets", "sha256", digest(data)[:2], digest(data))

    def partial(self, data, ending=""):
        return self.daemon.home_file("assets", "partial", digest(data) + ending)

    def noted(self, data):
        """The bytes of the beginning that are noted to be there."""
        try:
            with open(self.partial(data, ".json"), encoding="utf-8") as file:
                return json.load(file)["ranges"][0]["done"]
        except OSError:
            return 0

    def deployment(self, chain="x", environment="production"):
        return self.daemon.chain(chain, environment)["deployment"]

    def failed(self, *assets, chain="x", **more):
        """Deploys what fails; gives the deployment."""
        version = self.daemon.deploy(chain, service("entry", assets=list(assets)), **more)

        def look():
            deployment = self.deployment(chain, more.get("environment", "production"))
            return deployment["version"] == version and deployment["state"] == "failed" and deployment
        return wait_until(look, "the deployment to fail")

    def begin_slowly(self, *assets):
        """Deploys what is being fetched for as long as the site isn't released; returns when its beginning is noted."""
        self.site.hold(MIB)
        version = self.daemon.deploy("x", service("entry", assets=list(assets or [self.site.asset("/large")])))
        wait_until(lambda: self.noted(LARGE) > 0, "some bytes to be noted")
        return version

    def outdate(self, *paths):
        """As if nobody had asked for them for a long time."""
        for path in paths:
            os.utime(path, (0, 0))

    def wait_ready(self, version):
        wait_until(lambda: self.deployment()["state"] == "ready" and self.deployment()["version"] == version, "it to be ready")


class Fetched(AssetsTest):
    def test_by_ranges_and_shared(self):
        self.daemon.deployed("x", service("entry", "other", assets=[self.site.asset("/large", "models/l.bin"), self.site.asset("/small")]),
                             service("other", assets=[self.site.asset("/large")]))
        self.assertEqual(self.read("models/l.bin"), LARGE)
        self.assertEqual(self.read("small"), SMALL)
        self.assertEqual(self.read("large", chainlet="other"), LARGE)
        self.assertEqual(sorted(set(self.site.starts("/large"))), [0, 17 * MIB // 2])
        assets = self.deployment()["assets"]
        self.assertEqual((assets["files"], assets["files_done"], assets["bytes"], assets["bytes_done"]),
                         (3, 3, len(LARGE) + len(SMALL), len(LARGE) + len(SMALL)))
        # They are one file, whoever has it; of another version and another chain, too.
        asked = len(self.site.requests)
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/large")]))
        self.daemon.deployed("y", service("entry", assets=[self.site.asset("/large")]))
        self.assertEqual(len(self.site.requests), asked)
        self.assertEqual(self.deployment()["assets"]["bytes_done"], 0)
        paths = [self.stored(LARGE), os.path.join(self.folder(), "large"), os.path.join(self.folder("y"), "large")]
        self.assertEqual(len({os.stat(path).st_ino for path in paths}), 1)
        self.assertEqual({os.stat(path).st_mode & 0o777 for path in paths}, {0o444})

    def test_beside_all_else_that_is_in_its_environment(self):
        """A process with secrets, a CPU limit and assets finds all of it, however many variables are its own."""
        self.assertEqual(self.daemon.change("PUT", "/api/v1/secrets/one", {"value": "a secret"}).status, 200)
        for number in range(4):
            own = {f"OWN_{i}": i for i in range(number)}
            self.daemon.deployed("x", service("entry", assets=[self.site.asset("/small")], secrets=["one"], cpu=1.5, **own))
            environment = self.daemon.call("x", "report").json()["environment"]
            self.assertEqual(environment["OMP_NUM_THREADS"], "2")
            self.assertEqual({name: environment[name] for name in own}, {name: str(value) for name, value in own.items()})
            self.assertLessEqual({"CHAINS_ASSETS_DIR", "CHAINS_SECRETS_FD", "CHAINS_CHAIN", "CHAINS_ENVIRONMENT"}, set(environment))

    def test_who_names_none_has_none(self):
        self.daemon.deployed("x", service("entry", "other", assets=[self.site.asset("/small")]), service("other"))
        self.assertNotIn("CHAINS_ASSETS_DIR", self.daemon.call("x", "report", chainlet="other").json()["environment"])
        self.daemon.deployed("y", service("entry"))
        self.assertIsNone(self.deployment("y")["assets"])

    def test_without_ranges_and_cut_off(self):
        self.site.ranges = False
        self.site.cut_after = [3 * MIB, 0]
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/large")]))
        self.assertEqual(self.read("large"), LARGE)
        self.assertEqual(self.site.starts("/large"), [None] * 3)

    def test_cut_off_with_ranges_goes_on(self):
        self.site.cut_after = [3 * MIB]
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/large")]))
        self.assertEqual(self.read("large"), LARGE)
        self.assertIn(3 * MIB, self.site.starts("/large"))
        self.assertEqual(self.site.starts("/large").count(0), 1)

    def test_of_a_file(self):
        path = self.home.file("a file")
        with open(path, "wb") as file:
            file.write(SMALL)
        url = "file://" + path.replace(" ", "%20")
        self.daemon.deployed("x", service("entry", assets=[{"url": url, "sha256": digest(SMALL), "path": "s"}]))
        self.assertEqual(self.read("s"), SMALL)
        os.unlink(path)
        failed = self.failed({"url": url, "sha256": digest(LARGE), "path": "s"})
        self.assertIn(f"cannot fetch {url}: No such file", failed["message"])

    def test_a_password_is_not_told(self):
        asset = self.site.asset("/small")
        shown = asset["url"]
        self.daemon.deployed("x", service("entry", assets=[dict(asset, url=shown.replace("//", "//me:secret@"))]))
        self.assertEqual(self.read("small"), SMALL)
        for place in ("/api/v1/chains/x", "/api/v1/chains/x/environments/production"):
            answer = self.daemon.ask("GET", place + "/chainlets/entry")
            self.assertEqual(answer.json()["config"]["assets"], [dict(asset, url=shown)])

    def test_how_far_it_is(self):
        self.begin_slowly()

        def look():
            assets = self.deployment()["assets"]
            return assets["bytes"] == len(LARGE) and assets["bytes_done"] > 0 and assets
        assets = wait_until(look, "progress")
        self.assertEqual((assets["files"], assets["files_done"], assets["trouble"]), (1, 0, None))
        self.assertEqual(self.deployment()["state"], "starting")
        self.site.release()
        self.wait_ready(1)


class Interrupted(AssetsTest):
    def test_a_killed_brain(self):
        before = self.begin_slowly()
        self.daemon.kill_brain()
        wait_until(lambda: len(self.site.starts("/large")) >= 4, "it to be asked for again")
        again = self.site.starts("/large")[2:]
        self.assertGreater(min(again), 0)
        self.site.release()
        self.wait_ready(before)
        self.assertEqual(self.read("large"), LARGE)

    def test_killed_keeper_and_brain(self):
        before = self.begin_slowly()
        self.daemon.kill_both()
        self.site.release()
        self.daemon = self.start()
        self.wait_ready(before)
        self.assertEqual(self.read("large"), LARGE)
        self.assertEqual(self.site.starts("/large").count(0), 1)

    def test_another_takes_its_place(self):
        self.begin_slowly()
        second = self.daemon.deployed("x", service("entry"))
        wait_until(lambda: not self.site.answering, "the downloads to stop")
        self.assertIn("another", self.daemon.versions("x")[1]["message"])
        self.assertEqual(self.daemon.chain("x")["version"], second)
        # What is there of it serves the next that wants it.
        self.site.release()
        asked = len(self.site.starts("/large"))
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/large")]))
        self.assertGreater(min(self.site.starts("/large")[asked:]), 0)
        self.assertEqual(self.read("large"), LARGE)

    def test_it_is_given_up(self):
        self.daemon.deployed("x", service("entry"))
        self.begin_slowly()
        self.assertEqual(self.daemon.change_environment("x", "rollback").status, 200)
        wait_until(lambda: not self.site.answering, "the downloads to stop")
        self.assertEqual(self.daemon.call("x").status, 200)
        self.assertEqual(self.daemon.chain("x")["version"], 1)

    def test_its_chain_is_deleted(self):
        self.begin_slowly()
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        wait_until(lambda: not self.site.answering, "the downloads to stop")

    def test_the_daemon_is_stopped(self):
        before = self.begin_slowly()
        self.assertEqual(self.daemon.stop(), 0)
        self.site.release()
        asked = len(self.site.starts("/large"))
        self.daemon = self.start()
        self.wait_ready(before)
        self.assertGreater(min(self.site.starts("/large")[asked:]), 0)


class Failed(AssetsTest):
    def setUp(self):
        super().setUp()
        self.daemon.deployed("x", service("entry"))

    def tearDown(self):
        self.assertEqual(self.daemon.chain("x")["version"], 1)
        self.assertEqual(self.daemon.call("x").status, 200)
        super().tearDown()

    def test_wrong_digest(self):
        failed = self.failed(self.site.asset("/small", sha256=digest(LARGE)))
        self.assertEqual(failed["chainlet"], "entry")
        self.assertEqual(failed["message"], f"{self.site.url}/small has the wrong digest: "
                                            f"expected sha256 {digest(LARGE)}, got {digest(SMALL)}")
        self.assertIn(digest(SMALL), self.daemon.versions("x")[2]["message"])
        self.assertFalse(os.path.exists(self.stored(SMALL)))
        self.assertEqual(glob.glob(self.daemon.home_file("assets", "partial", "*")), [])

    def test_a_long_url_leaves_room_for_both_digests(self):
        path = "/" + "long" * 60
        self.site.files[path] = SMALL
        failed = self.failed(self.site.asset(path, "s", sha256=digest(LARGE)))
        self.assertTrue(failed["message"].endswith(f"{digest(LARGE)}, got {digest(SMALL)}"))

    def test_what_is_not_there(self):
        asset = self.site.asset("/small")
        del self.site.files["/small"]
        self.assertEqual(self.failed(asset)["message"], f"cannot fetch {self.site.url}/small: the server answers 404 Not Found")

    def test_no_such_kind_of_url(self):
        failed = self.failed({"url": "ftp://127.0.0.1/x", "sha256": digest(SMALL), "path": "x"})
        self.assertIn("no http, https or file URL", failed["message"])

    def test_an_unreachable_server_is_told_of_and_tried_again(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        self.daemon.deploy("x", service("entry", assets=[{"url": url, "sha256": digest(SMALL), "path": "x"}]))
        trouble = wait_until(lambda: self.deployment()["assets"]["trouble"], "the trouble to be told of")
        self.assertIn("127.0.0.1", trouble)
        self.assertEqual(self.daemon.change_environment("x", "rollback").status, 200)

    def test_what_is_refused_at_once(self):
        good = self.site.asset("/small", "a")
        for assets, why in (([dict(good, path="../a")], "'.' or '..'"), ([dict(good, path="/a")], "is absolute"),
                            ([dict(good, path="")], "is empty"), ([good, good], "clash"),
                            ([good, dict(good, path="a/b")], "clash"), ([dict(good, sha256="12")], "no SHA-256"),
                            ([dict(good, sha256="A" * 64)], "lower case"), ([dict(good, url="")], "no url"),
                            ([dict(good, path=f"{number}") for number in range(257)], "more than 256")):
            answer = self.daemon.begin("x", service("entry", assets=assets))
            self.assertEqual(answer.status, 400, assets)
            self.assertIn(why, answer.error()["message"])


class FullDisk(DaemonTest):
    def test_no_room(self):
        most = 64 * MIB

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        site = AssetSite()
        self.addCleanup(site.close)
        site.files = {"/huge": bytes(most + 1)}
        daemon = self.start(preexec_fn=limit)
        daemon.deployed("x", service("entry"))
        daemon.deploy("x", service("entry", assets=[site.asset("/huge")]))
        wait_until(lambda: daemon.chain("x")["deployment"]["state"] == "failed", "it to fail")
        self.assertIn(f"cannot make room for it: File too large (it has {most + 1} bytes)",
                      daemon.chain("x")["deployment"]["message"])
        self.assertEqual(daemon.call("x").status, 200)


class Kept(AssetsTest):
    def test_versions_that_are_promoted_find_theirs(self):
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/small")]))
        self.daemon.deployed("x", service("entry"))
        asked = len(self.site.requests)
        # The links are the version's: it needs no store.
        os.unlink(self.stored(SMALL))
        self.assertEqual(self.daemon.change_environment("x", "rollback").status, 200)
        self.assertEqual(self.read("small"), SMALL)
        self.assertEqual(len(self.site.requests), asked)
        # Two environments have one folder.
        self.assertEqual(self.daemon.change_environment("x", "promote", "staging", version="1").status, 200)
        self.assertEqual(self.folder(environment="staging"), self.folder())

    def test_what_somebody_removed_is_fetched_again(self):
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/small")]))
        folder = self.folder()
        self.daemon.deployed("x", service("entry"))
        os.unlink(os.path.join(folder, "small"))
        os.unlink(self.stored(SMALL))
        self.assertEqual(self.daemon.change_environment("x", "rollback").status, 200)
        self.assertEqual(self.read("small"), SMALL)
        self.assertEqual(len(self.site.requests), 2)

    def test_a_restart_needs_nobody(self):
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/small")]))
        self.assertEqual(self.daemon.stop(), 0)
        self.site.files = {}
        self.daemon = self.start()
        self.assertEqual(self.read("small"), SMALL)

    def test_what_is_being_deployed_again_is_not_what_was_there(self):
        """A version's number may be that of another, of a state before a backup was taken up."""
        folder = self.daemon.home_file("chains", "x", "1", "assets.links", "entry")
        os.makedirs(folder)
        with open(os.path.join(folder, "small"), "wb") as file:
            file.write(b"another's")
        with open(os.path.join(folder, "large"), "wb") as file:
            file.write(b"another's, too")
        version = self.begin_slowly(self.site.asset("/small"), self.site.asset("/large"))
        self.daemon.kill_brain()
        self.site.release()
        self.wait_ready(version)
        self.assertEqual(self.read("small"), SMALL)
        self.assertEqual(self.read("large"), LARGE)


class LetGo(AssetsTest):
    def stray(self):
        """A file in the store that goes with the next sweep: so that it is known to have been."""
        self.outdate(*(path for path in (self.stored(SMALL), self.stored(LARGE)) if os.path.exists(path)))
        path = self.stored(b"stray")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"stray")
        self.outdate(path)
        return path

    def gone(self, path):
        wait_until(lambda: not os.path.exists(path), f"{path} to go")

    def test_with_the_last_chain(self):
        for chain in ("x", "y"):
            self.daemon.deployed(chain, service("entry", assets=[self.site.asset("/small")]))
        self.daemon.deployed("z", service("entry", assets=[self.site.asset("/large")]))
        stray = self.stray()
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        self.gone(stray)
        self.assertTrue(os.path.exists(self.stored(SMALL)))
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/y").status, 200)
        self.gone(self.stored(SMALL))
        self.assertTrue(os.path.exists(self.stored(LARGE)))
        self.assertEqual(self.read("large", chain="z"), LARGE)

    def test_what_was_just_asked_for_stays(self):
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/small")]))
        stray = self.stray()
        os.utime(self.stored(SMALL))
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x").status, 200)
        self.gone(stray)
        self.assertTrue(os.path.exists(self.stored(SMALL)))

    def test_with_a_version(self):
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/small")]))
        self.daemon.deployed("x", service("entry"))
        self.daemon.deployed("x", service("entry"))
        self.outdate(self.stored(SMALL))
        self.assertEqual(self.daemon.change("DELETE", "/api/v1/chains/x/versions/1").status, 200)
        self.gone(self.stored(SMALL))
        self.gone(self.daemon.home_file("chains", "x", "1"))

    def test_when_a_brain_begins(self):
        self.daemon.deployed("x", service("entry", assets=[self.site.asset("/small")]))
        stray = self.stray()
        self.daemon.kill_brain()
        self.gone(stray)
        self.assertTrue(os.path.exists(self.stored(SMALL)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
