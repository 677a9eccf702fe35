#!/usr/bin/env python3
"""What the controller makes of the ConfigMaps of versions: deleted, made again, copied, changed by hand."""
import json
import os

from control_testing import LIMIT_S, ControllerTest, edit, main
from chains_testing import wait_until
from fake_api import status
from process_cluster import CONFIGMAPS, DEPLOYMENTS


class ConfigMaps(ControllerTest):
    def test_what_comes_under_the_name_of_a_deleted_version_stays(self):
        self.deploy()
        refused, again = [], self.config_map("v1")

        def refuse(handler):
            if handler.command != "DELETE" or refused:
                return False
            refused.append(handler.place)
            self.cluster.renew(again)
            handler.reply(*status(500, "InternalError", "not now"))
            return True
        self.cluster.api.faults.insert(0, refuse)
        self.home.good("delete", "hello")
        wait_until(lambda: self.cluster.api.count("DELETE", "/hello-v1") >= 2, "it to be deleted again", LIMIT_S)
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "the one that came to run", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_deleting_the_versions_deletes_the_chain(self):
        self.deploy()
        self.cluster.api.remove(f"{CONFIGMAPS}/hello-v1")
        self.deploy("v2")  # at once
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.assertIsNone(self.cluster.get(f"{DEPLOYMENTS}/hello-v1-hello"))

    def test_a_version_that_is_made_again_at_once_is_deployed_again(self):
        self.deploy()
        self.cluster.renew(self.config_map("v1"))
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "the same version again", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def try_again(self, renew):
        """v2 fails, and then is made again as renew does it."""
        self.deploy()
        self.cluster.problems["hello-v2-hello"] = ("ImagePullBackOff", "Back-off pulling image")
        self.deploy("v2", until="failed")
        wait_until(lambda: not self.cluster.pods_of("hello-v2-hello"), "its pods to go", LIMIT_S)
        self.cluster.problems.clear()
        renew(self.config_map("v2"))
        wait_until(lambda: self.cluster.state("hello-v2") == "running", "it to run after all", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_a_failed_version_that_is_made_again_at_once_is_tried_again(self):
        self.try_again(self.cluster.renew)

    def test_a_failed_version_that_is_made_again_unseen_is_tried_again(self):
        def renew(config_map):
            self.cluster.api.stop()
            self.cluster.renew(config_map)
            self.cluster.api.forget()
            self.cluster.api.start()
        self.try_again(renew)

    def test_a_failed_version_that_went_without_a_controller_is_tried_again(self):
        def renew(config_map):
            self.stop()
            self.cluster.api.remove(f"{CONFIGMAPS}/hello-v2")
            self.start()
            self.cluster.apply([one for one in self.manifests(self.folder, "v2") if one["kind"] == "Deployment"] + [config_map])
        self.try_again(renew)

    def test_a_request_that_was_handled_is_told_to_be_so(self):
        self.two_versions()
        refused = []

        def refuse(handler):
            if handler.command != "PATCH" or not handler.place.startswith(CONFIGMAPS) or len(refused) == 4:
                return False
            refused.append(handler.place)
            handler.reply(*status(500, "InternalError", "not now"))
            return True
        self.cluster.api.faults.insert(0, refuse)
        self.cluster.annotate("hello-v1", requested="1")
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "it to answer again", LIMIT_S)
        self.assertEqual(self.cluster.annotations("hello-v1")["chains.dev/handled"], "1")

    def test_of_two_that_say_they_are_the_same_the_first_one_is(self):
        self.deploy()
        other = self.config_map("v1")
        other["metadata"]["name"] = "another"
        other["data"]["deploy.json"] = "{}"
        self.cluster.apply([other])
        self.deploy("v2")  # it was seen by then
        self.assertIsNone(self.cluster.state("another"))
        self.cluster.api.remove(f"{CONFIGMAPS}/another")
        self.home.good("rollback", "hello")
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_a_version_that_was_refused_is_tried_again_when_it_is_wanted(self):
        self.build(self.folder, "v1")
        objects = self.manifests(self.folder, "v1")
        known = next(one for one in objects if one["kind"] == "ConfigMap")
        text, known["data"]["deploy.json"] = known["data"]["deploy.json"], "{}"
        self.cluster.apply(objects)
        wait_until(lambda: self.cluster.state("hello-v1") == "failed", "the version to fail", LIMIT_S)
        known["data"]["deploy.json"] = text
        known["metadata"]["annotations"] = {**self.cluster.annotations("hello-v1"), "chains.dev/requested": "1"}
        self.cluster.apply([known])
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "it to run after all", LIMIT_S)
        self.assertEqual(self.cluster.annotations("hello-v1")["chains.dev/handled"], "1")

    def test_what_is_deleted_while_there_is_no_controller_is_forgotten(self):
        self.two_versions()
        self.deploy("v3")
        self.stop()
        self.cluster.api.remove(f"{CONFIGMAPS}/hello-v1")
        self.start()
        known = {"v2", "v3"}
        wait_until(lambda: {one["id"] for one in json.loads(self.home.good("versions", "hello", "--json"))} == known,
                   "v1 to be forgotten", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Howdy, moon!"]))
        self.stop()
        for version in known:
            self.cluster.api.remove(f"{CONFIGMAPS}/hello-{version}")
        self.start()
        wait_until(lambda: not self.home.status(), "the chain to be deleted", LIMIT_S)

    def test_what_cannot_be_read_is_told(self):
        self.build(self.folder, "v1")
        objects = self.manifests(self.folder, "v1")
        next(one for one in objects if one["kind"] == "ConfigMap")["data"]["deploy.json"] = '{"chain": "hello"'
        self.cluster.apply(objects)
        wait_until(lambda: self.cluster.state("hello-v1") == "failed", "the version to fail", LIMIT_S)
        self.assertIn("data.deploy.json", self.cluster.annotations("hello-v1")["chains.dev/message"])

    def refuse(self, name, said, label=None, **data):
        """Applies v1's ConfigMap with other data under that name, which has to fail and say so."""
        other = self.config_map("v1")
        other["metadata"]["name"] = name
        other["metadata"]["labels"]["chains.dev/version"] = label or name
        other["data"].update(data)
        self.cluster.apply([other])
        wait_until(lambda: self.cluster.state(name) == "failed", f"{name} to fail", LIMIT_S)
        self.assertIn(said, self.cluster.annotations(name)["chains.dev/message"])

    def test_names_that_are_none_are_refused(self):
        self.refuse("one", "data.version", version='v1","x":"')
        self.refuse("two", "data.chain", chain="../../secrets/x", version="v2")

    def test_pods_of_another_version_are_left_alone(self):
        self.deploy()
        self.refuse("v2", "is of another version", version="v2")
        self.refuse("v3", "its labels are those of the ConfigMap hello-v1", label="v1", version="v3")
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        shown = self.status()
        self.assertEqual((shown["state"], shown["version_id"]), ("ready", "v1"))

    def rename(self, name="hello-v1", **data):
        """Changes a ConfigMap by hand; None: takes a name out. What it was before."""
        path = f"{CONFIGMAPS}/{name}"
        known = self.cluster.get(path)
        before = dict(known["data"])
        for key, value in data.items():
            if value is None:
                del known["data"][key]
            else:
                known["data"][key] = value
        self.cluster.api.put(path, known)
        return {key: before.get(key) for key in data}

    def stays(self, **data):
        """A version whose ConfigMap gets other names by hand goes on: as they come, when all is listed again, for another
        controller, and when they are put right."""
        self.deploy()
        before = self.rename(**data)
        wait_until(lambda: "it is taken for that still" in self.said(), "the change to be told", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.cluster.api.stop()
        self.cluster.api.forget()
        self.cluster.api.start()
        self.scale("hello", "--min", "2", "--max", "2")
        wait_until(lambda: len(self.cluster.pods_of("hello-v1-hello")) == 2, "two pods", LIMIT_S)
        self.stop()
        self.start()
        wait_until(lambda: "it is taken for 'hello' and 'v1' still" in self.said(), "another controller to tell", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.assertEqual([one["id"] for one in json.loads(self.home.good("versions", "hello", "--json"))], ["v1"])
        self.rename(**before)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.assertEqual(len(self.cluster.pods_of("hello-v1-hello")), 2)
        self.assertEqual(self.cluster.state("hello-v1"), "running")
        self.home.good("delete", "hello")
        wait_until(lambda: not self.cluster.pods and not self.cluster.get(f"{CONFIGMAPS}/hello-v1"), "nothing to be left", LIMIT_S)

    def test_a_version_whose_chain_is_changed_by_hand_goes_on(self):
        self.stays(chain="other")

    def test_a_version_whose_name_is_changed_by_hand_goes_on(self):
        self.stays(version="v9")

    def test_a_version_whose_names_are_taken_out_by_hand_goes_on(self):
        self.stays(chain=None, version=None)

    def relabel(self, name, **labels):
        known = self.cluster.get(f"{CONFIGMAPS}/{name}")
        known["metadata"]["labels"].update({f"chains.dev/{label}": text for label, text in labels.items()})
        self.cluster.api.put(f"{CONFIGMAPS}/{name}", known)

    def mix_up(self, change):
        """v2 answers, v1 stands by; their ConfigMaps are changed, and another controller takes over: each is what it was."""
        self.two_versions()
        pods = {pod.name for pod in self.cluster.pods.values()}
        self.stop()
        change()
        self.start()
        wait_until(lambda: self.home.status() and self.status()["state"] == "ready", "what runs to be found", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Howdy, moon!"]))
        self.home.good("rollback", "hello")
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "v1 to answer", LIMIT_S)
        wait_until(lambda: self.cluster.state("hello-v2") == "standing-by", "v2 to stand by", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        wait_until(lambda: not pods & {pod.name for pod in self.cluster.pods.values()}, "the pods of v2 to go", LIMIT_S)
        # What goes is the version that the ConfigMap was made with.
        self.cluster.api.remove(f"{CONFIGMAPS}/hello-v2")
        wait_until(lambda: "hello version v2 was deleted in the cluster" in self.said(), "v2 to be gone", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.home.good("delete", "hello")
        wait_until(lambda: not self.cluster.pods and not any(path.startswith(CONFIGMAPS) for path in list(self.cluster.api.objects)),
                   "nothing to be left", LIMIT_S)

    def test_versions_whose_names_are_swapped_by_hand_stay_what_they_are(self):
        def swap():
            self.rename("hello-v1", version="v2")
            self.rename("hello-v2", version="v1")
        self.mix_up(swap)

    def test_a_version_that_gets_the_name_of_another_one_stays_what_it_is(self):
        self.mix_up(lambda: self.rename("hello-v1", version="v2"))

    def test_a_version_that_gets_names_and_labels_that_nobody_has_stays_what_it_is(self):
        def change():
            self.rename("hello-v2", version="v9")
            self.relabel("hello-v2", version="v9")
        # Not what its Deployments are labelled by, which a real cluster keeps by their owner.
        self.cluster.collect_garbage = lambda: None
        self.deploy("v1", until=None)
        self.deploy("v2")
        self.stop()
        change()
        self.start()
        wait_until(lambda: self.home.status() and self.status()["state"] == "ready", "what runs to be found", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.assertIn("it is taken for 'hello' and 'v2' still", self.said())

    def test_a_copy_of_a_version_does_not_take_its_place(self):
        self.deploy()
        copy = self.cluster.get(f"{CONFIGMAPS}/hello-v1")
        copy["metadata"] = {"labels": copy["metadata"]["labels"], "creationTimestamp": "2026-01-02T00:00:00Z"}
        self.cluster.api.put(f"{CONFIGMAPS}/a-copy", copy)
        self.stop()
        self.start()
        wait_until(lambda: self.home.status() and self.status()["state"] == "ready", "what runs to be found", LIMIT_S)
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.deploy("v2")
        wait_until(lambda: self.cluster.state("hello-v1") == "standing-by", "the old one to stand by", LIMIT_S)
        self.assertIsNone(self.cluster.state("a-copy"))
        self.cluster.api.remove(f"{CONFIGMAPS}/a-copy")
        self.home.good("rollback", "hello")
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "v1 to answer", LIMIT_S)
        self.assertNotIn("was deleted in the cluster", self.said())
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_a_version_that_was_refused_may_get_other_names(self):
        self.build(self.folder, "v1")
        objects = self.manifests(self.folder, "v1")
        next(one for one in objects if one["kind"] == "ConfigMap")["data"]["chain"] = "other"
        self.cluster.apply(objects)
        wait_until(lambda: self.cluster.state("hello-v1") == "failed", "the version to be refused", LIMIT_S)
        self.assertIn("data.chain is 'other'", self.cluster.annotations("hello-v1")["chains.dev/message"])
        self.rename(chain="hello")
        self.cluster.annotate("hello-v1", requested="again")
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "it to be deployed", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_versions_of_knative_are_left_alone(self):
        self.deploy()
        other = self.config_map("v2")
        other["data"]["autoscaler"] = "knative"
        self.cluster.apply([other])
        self.deploy("v3")
        self.assertIsNone(self.cluster.state("hello-v2"))
        self.assertNotIn("v2", self.said())
        self.home.good("delete", "hello")
        wait_until(lambda: not self.cluster.pods and not self.home.status(), "the chain to be deleted", LIMIT_S)
        self.assertIsNotNone(self.cluster.get(f"{CONFIGMAPS}/hello-v2"))


if __name__ == "__main__":
    main(ConfigMaps)
