#!/usr/bin/env python3
"""What the controller makes of versions, pods and calls."""
import json
import os
import signal
import threading

from control_testing import LIMIT_S, ControllerTest, edit, main
from chains_testing import wait_until
from fake_api import status
from process_cluster import CONFIGMAPS, DEPLOYMENTS


class Controller(ControllerTest):
    def test_a_version_is_deployed_and_called(self):
        self.deploy()
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        shown = self.status()
        self.assertEqual((shown["state"], shown["version_id"]), ("ready", "v1"))
        replicas = [replica for chainlet in shown["chainlets"] for replica in chainlet["replicas"]]
        self.assertEqual({replica["pod"] for replica in replicas},
                         {pod.name for name in ("hello-v1-hello", "hello-v1-hello-writer") for pod in self.cluster.pods_of(name)})
        self.assertEqual({replica["node"] for replica in replicas}, {"here"})

    def test_pods_of_a_chainlet_are_shown(self):
        self.deploy()
        pod, = self.cluster.pods_of("hello-v1-hello")
        os.kill(pod.process.pid, signal.SIGKILL)
        wait_until(lambda: pod.restarts == 1 and pod.ready, "it to be started again", LIMIT_S)
        wait_until(lambda: self.status()["state"] == "ready", "it to be seen", LIMIT_S)
        shown, = json.loads(self.home.good("status", "hello", "hello", "--json"))
        self.assertEqual((shown["pod"], shown["node"], shown["version"], shown["state"], shown["restarts"]), (pod.name, "here", "v1", "ready", 1))
        head, line = self.home.good("status", "hello", "hello").splitlines()
        self.assertEqual(head.split(), ["POD", "NODE", "VERSION", "STATE", "RESTARTS", "SINCE"])
        self.assertEqual(line.split()[:5], [pod.name, "here", "v1", "ready", "1"])
        self.assertNotIn("PIDS", self.home.good("status", "hello"))
        # Of one that is being started, too.
        self.cluster.problems["hello-v2-hello"] = ("ErrImagePull", "not yet")
        self.deploy("v2", until="deploying")
        wait_until(lambda: {each["version"]: each["state"] for each in json.loads(self.home.good("status", "hello", "hello", "--json"))} ==
                   {"v1": "ready", "v2": "starting"}, "the pods of both", LIMIT_S)
        self.cluster.api.remove(f"{CONFIGMAPS}/hello-v2")
        done = self.home.chains("status", "hello", "nobody")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("no process and no pod of 'nobody' of 'hello' is known in 'production'", done.stderr)
        self.assertEqual(self.home.chains("status", "hello", "hello", "--environment", "staging").returncode, 1)
        self.scale("hello", "--scale-to-zero-delay", "0.5")
        wait_until(lambda: self.home.good("status", "hello", "hello") == "hello has no pod now\n", "that to be seen", LIMIT_S)
        self.assertEqual(json.loads(self.home.good("status", "hello", "hello", "--json")), [])

    def test_traces_come_from_pods(self):
        self.deploy()
        self.call()

        def whole():
            traces = json.loads(self.home.good("trace", "--json"))["traces"]
            spans = json.loads(self.home.good("trace", traces[0]["trace_id"], "--json"))["spans"] if traces else []
            return {"hello", "hello_writer"} <= {span["chainlet"] for span in spans if span["kind"] == "served"}
        wait_until(whole, "the spans of the inner Chainlet", LIMIT_S)

    def scale_to_zero(self):
        for chainlet in ("hello", "hello_writer"):
            self.scale(chainlet, "--scale-to-zero-delay", "0.5")
        wait_until(lambda: not self.cluster.pods, "no pods", LIMIT_S)

    def test_whoever_asks_for_the_description_wakes_nothing(self):
        self.deploy()
        kept = os.path.join(self.home.env["CHAINS_HOME"], "chains", "hello", "1", "openapi.hello")
        wait_until(lambda: os.path.exists(kept), "the description to be kept", LIMIT_S)
        self.scale_to_zero()
        connection = self.connect()
        connection.request("GET", "/chains/hello/production/openapi.json")
        answer = connection.getresponse()
        self.assertEqual((answer.status, json.loads(answer.read())["info"]["title"]), (200, "hello"))
        connection.close()
        self.assertEqual({chainlet["state"] for chainlet in self.status()["chainlets"]}, {"at_zero"})

    def test_scales_to_zero_and_a_call_wakes_all(self):
        self.deploy()
        self.scale_to_zero()
        self.assertEqual([self.cluster.replicas(name) for name in ("hello-v1-hello", "hello-v1-hello-writer")], [0, 0])
        self.assertEqual({chainlet["state"] for chainlet in self.status()["chainlets"]}, {"at_zero"})
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_an_update_under_load_loses_no_call(self):
        self.deploy()
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        answers, done = [], threading.Event()

        def load():
            while not done.is_set():
                answers.append(self.call())
        callers = [threading.Thread(target=load) for _ in range(4)]
        for caller in callers:
            caller.start()
        try:
            self.deploy("v2")
            wait_until(lambda: (200, ["Howdy, moon!"]) in answers[-4:], "the new version to answer", LIMIT_S)
            wait_until(lambda: not self.cluster.pods_of("hello-v1-hello-writer"), "the old one to go", LIMIT_S)
        finally:
            done.set()
            for caller in callers:
                caller.join()
        self.assertEqual({json.dumps(answer) for answer in answers},
                         {json.dumps((200, ["Hello, moon!"])), json.dumps((200, ["Howdy, moon!"]))})
        wait_until(lambda: self.cluster.state("hello-v1") == "standing-by", "the old one to stand by", LIMIT_S)
        self.home.good("rollback", "hello")
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        wait_until(lambda: self.cluster.state("hello-v2") == "standing-by", "the new one to stand by", LIMIT_S)

    def test_a_version_that_does_not_start_leaves_the_old_one(self):
        self.deploy()
        edit(os.path.join(self.folder, "hello_writer.c"), "self->greeting = \"Hello\";", "abort();")
        edit(os.path.join(self.folder, "hello_writer.c"), "#include", "#include <stdlib.h>\n#include")
        self.deploy("v2", until="failed")
        self.assertIn("hello_writer", self.cluster.annotations("hello-v2")["chains.dev/message"])
        self.assertIn("killed by signal 6 (Aborted)", self.cluster.annotations("hello-v2")["chains.dev/message"])
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        wait_until(lambda: not self.cluster.pods_of("hello-v2-hello"), "its pods to go", LIMIT_S)

    def test_an_image_that_does_not_come_is_told(self):
        self.cluster.problems["hello-v1-hello"] = ("ImagePullBackOff", "Back-off pulling image \"hello/hello:v1\"")
        self.deploy(until="failed")
        message = self.cluster.annotations("hello-v1")["chains.dev/message"]
        self.assertIn("ImagePullBackOff: Back-off pulling image", message)
        self.assertIn("hello-v1-hello-5d8f-", message)

    def test_who_deploys_says_how_long_that_is_waited_for(self):
        """As long as one that said nothing takes to fail, and longer."""
        problem = ("ImagePullBackOff", "Back-off pulling image")
        self.cluster.problems.update({"hello-v1-hello": problem, "hello-v2-hello": problem})
        self.build(self.folder, "v1")
        one, *others = self.manifests(self.folder, "v1", "--environment", "staging")
        deploy = json.loads(one["data"]["deploy.json"])
        one["data"]["deploy.json"] = json.dumps({**deploy, "patience_s": 3600})
        self.cluster.apply([one, *others])
        wait_until(lambda: "backing_off" in self.home.good("status", "--json"), "that to be seen", LIMIT_S)
        self.deploy("v2", until="failed")
        self.assertEqual(self.cluster.state("hello-v1"), "deploying")
        for pod in self.cluster.pods_of("hello-v1-hello"):
            pod.problem = None
        wait_until(lambda: self.cluster.state("hello-v1") == "running", "it to be ready", LIMIT_S)

    def test_a_deployment_that_is_not_there_is_told(self):
        self.deploy()
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        one = self.config_map("v2")
        deploy = json.loads(one["data"]["deploy.json"])
        for service in deploy["services"]:
            service["start_timeout_s"] = 1
        one["data"]["deploy.json"] = json.dumps(deploy)
        self.cluster.apply([one])
        wait_until(lambda: self.cluster.state("hello-v2") == "failed", "the version to fail", LIMIT_S)
        self.assertRegex(self.cluster.annotations("hello-v2")["chains.dev/message"], "Deployment hello-v2-hello(-writer)? isn't there")
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_a_quota_that_forbids_is_told(self):
        self.build(self.folder, "v1")
        objects = self.manifests(self.folder, "v1")
        for one in objects:
            if one["kind"] == "Deployment" and one["metadata"]["name"] == "hello-v1-hello":
                one["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
                                                 "message": "pods is forbidden: exceeded quota: small"}]}
        self.cluster.apply(objects)
        wait_until(lambda: self.cluster.state("hello-v1") == "failed", "the version to fail", LIMIT_S)
        self.assertIn("Deployment hello-v1-hello: FailedCreate: pods is forbidden: exceeded quota: small",
                      self.cluster.annotations("hello-v1")["chains.dev/message"])

    def test_a_quota_that_is_raised_is_waited_for(self):
        self.stop()
        self.more = {"CHAINS_POD_PATIENCE_S": "600"}
        self.start()
        self.build(self.folder, "v1")
        objects = self.manifests(self.folder, "v1")
        [deployment] = [one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == "hello-v1-hello"]
        deployment["status"] = {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: small"}]}
        self.cluster.apply(objects)
        wait_until(lambda: "FailedCreate: exceeded quota: small" in self.said(), "it to be seen", LIMIT_S)
        self.assertEqual("deploying", self.cluster.state("hello-v1"))

    def test_one_that_is_deleted_while_it_starts_is_forgotten(self):
        self.deploy()
        self.cluster.problems["hello-v2-hello"] = ("ErrImagePull", "not yet")
        self.deploy("v2", until="deploying")
        self.cluster.api.remove(f"{CONFIGMAPS}/hello-v2")
        wait_until(lambda: [each["id"] for each in json.loads(self.home.good("versions", "hello", "--json"))] == ["v1"], "it to be forgotten", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.assertIn("version v2 is given up in 'production': its ConfigMap was deleted in the cluster", self.home.good("logs", "hello", "--events"))

    def test_a_dead_pod_is_replaced_and_calls_go_on(self):
        self.deploy()
        pod, = self.cluster.pods_of("hello-v1-hello")
        os.kill(pod.process.pid, signal.SIGKILL)
        wait_until(lambda: pod.restarts == 1 and pod.ready, "it to be started again", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        shown = next(one for one in self.status()["chainlets"] if one["name"] == "hello")
        self.assertEqual(shown["replicas"][0]["restarts"], 1)
        wait_until(lambda: "it exceeded its memory limit" in self.home.good("logs", "hello", "--events"), "the event", LIMIT_S)

    def test_replicas_changed_by_hand_are_put_right(self):
        self.deploy()
        known = self.cluster.get(f"{DEPLOYMENTS}/hello-v1-hello")
        known["spec"]["replicas"] = 3
        self.cluster.api.put(f"{DEPLOYMENTS}/hello-v1-hello", known)
        wait_until(lambda: self.cluster.replicas("hello-v1-hello") == 1, "one replica again", LIMIT_S)

    def test_others_may_scale(self):
        self.deploy("v1", "--autoscaler", "none")
        known = self.cluster.get(f"{DEPLOYMENTS}/hello-v1-hello")
        known["spec"]["replicas"] = 2
        self.cluster.api.put(f"{DEPLOYMENTS}/hello-v1-hello", known)
        wait_until(lambda: [one["ready"] for one in self.status()["chainlets"] if one["name"] == "hello"] == [2], "two replicas", LIMIT_S)
        self.assertEqual(self.cluster.replicas("hello-v1-hello"), 2)

    def answer_again(self, *words):
        """v1 is to end, and answers again before its pods are asked to."""
        self.deploy("v1", *words)
        away, passed = [True], []

        def refuse(handler):
            if not handler.place.endswith("hello-v1-hello/scale"):
                return False
            if not away[0]:
                passed.append(json.loads(handler.body)["spec"]["replicas"])
                return False
            handler.reply(*status(500, "InternalError", "not now"))
            return True
        self.cluster.api.faults.insert(0, refuse)
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.deploy("v2", *words)
        self.home.good("rollback", "hello")
        away[0] = False
        wait_until(lambda: passed, "it to be scaled", LIMIT_S)
        self.assertEqual((passed[0], self.cluster.replicas("hello-v1-hello")), (1, 1))
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_a_version_answers_again_before_it_has_ended(self):
        self.answer_again()

    def test_others_scale_a_version_that_answers_again_before_it_has_ended(self):
        self.answer_again("--autoscaler", "none")

    def scale_unseen(self, handler):
        """Pods are seen before the Deployment that they are of says how many it is to have: followers of either know nothing of each other."""
        if handler.command != "PATCH" or handler.place != f"{DEPLOYMENTS}/hello-v1-hello/scale":
            return False
        with self.cluster.api.changed:
            known = self.cluster.api.objects[f"{DEPLOYMENTS}/hello-v1-hello"]
            known["spec"]["replicas"] = json.loads(handler.body)["spec"]["replicas"]
        handler.reply(200, known)
        return True

    def test_others_scale_a_version_that_has_to_start_first(self):
        """It takes calls when its pods are ready, though somebody else says how many there are: new, and once it had none."""
        unready = ("ImagePullBackOff", "Back-off pulling image")
        words = ["--autoscaler", "hpa"]
        self.deploy("v1", *words)
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.cluster.problems["hello-v2-hello"] = unready
        self.deploy("v2", *words, until="failed")
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.deploy("v3", *words)
        wait_until(lambda: self.cluster.state("hello-v1") == "standing-by" and not self.cluster.pods_of("hello-v1-hello"), "v1 to have no pods", LIMIT_S)
        self.cluster.problems["hello-v1-hello"] = unready
        self.cluster.api.faults.insert(0, self.scale_unseen)
        done = self.home.chains("rollback", "hello", limit_s=LIMIT_S)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("Back-off pulling image", done.stderr)
        self.assertEqual(self.call(), (200, ["Howdy, moon!"]))

    def test_the_controller_ends_and_pods_go_on(self):
        self.deploy()
        pods = {pod.name for pod in self.cluster.pods.values()}
        self.stop()
        self.assertEqual({pod.name for pod in self.cluster.pods.values() if not pod.leaving}, pods)
        self.start()
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        self.assertEqual({pod.name for pod in self.cluster.pods.values() if not pod.leaving}, pods)

    def test_a_deployment_goes_on_with_another_controller(self):
        self.deploy()
        self.cluster.problems["hello-v2-hello"] = ("ContainerCreating", "")
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.deploy("v2", until="deploying")
        self.stop()
        self.start()
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))
        with self.cluster.api.changed:
            for pod in self.cluster.pods_of("hello-v2-hello"):
                pod.problem = None
        wait_until(lambda: self.cluster.state("hello-v2") == "running", "v2 to run", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Howdy, moon!"]))

    def try_canary(self, minutes):
        self.deploy()
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.build(self.folder, "v2")
        objects = self.manifests(self.folder, "v2")
        data = next(one for one in objects if one["kind"] == "ConfigMap")["data"]
        data["deploy.json"] = json.dumps({**json.loads(data["deploy.json"]), "canary": {
            "percent": 50, "max_error_rate_increase": 1, "max_p99_ratio": 1000, "minutes": minutes}})
        self.cluster.apply(objects)
        wait_until(lambda: self.cluster.state("hello-v2") == "trying", "v2 to be tried", LIMIT_S)
        self.assertEqual({self.call()[1][0] for _ in range(4)}, {"Hello, moon!", "Howdy, moon!"})

    def test_a_canary_goes_on_with_another_controller(self):
        self.try_canary(0.2)
        self.stop()
        self.start()
        wait_until(lambda: self.cluster.state("hello-v2") == "running", "v2 to answer", LIMIT_S)
        wait_until(lambda: self.cluster.state("hello-v1") == "standing-by", "v1 to stand by", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Howdy, moon!"]))

    def test_a_canary_is_given_up(self):
        self.try_canary(60)
        self.home.good("rollback", "hello")
        wait_until(lambda: self.cluster.state("hello-v2") == "standing-by", "v2 to stand by", LIMIT_S)
        wait_until(lambda: not self.cluster.pods_of("hello-v2-hello-writer"), "its pods to go", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_a_canary_without_its_state_is_deployed_again(self):
        self.try_canary(60)
        self.stop()
        known = self.cluster.get(f"{DEPLOYMENTS}/hello-v1-hello-writer")
        known["spec"]["replicas"] = 0  # as it is when there are no calls
        self.cluster.api.put(f"{DEPLOYMENTS}/hello-v1-hello-writer", known)
        self.lose_state()
        self.start()
        wait_until(lambda: self.home.status() and (self.status()["canary"] or {}).get("version_id") == "v2", "v2 to be tried again", LIMIT_S)
        self.assertEqual(self.status()["version_id"], "v1")
        self.assertEqual({self.call()[1][0] for _ in range(4)}, {"Hello, moon!", "Howdy, moon!"})

    def test_a_controller_without_its_state_finds_what_runs(self):
        self.two_versions()
        pods = {pod.name for pod in self.cluster.pods.values()}
        self.stop()
        self.lose_state()
        self.start()
        wait_until(lambda: self.home.status() and self.status()["state"] == "ready", "what runs to be found", LIMIT_S)
        self.assertEqual(self.call(), (200, ["Howdy, moon!"]))
        self.assertEqual({pod.name for pod in self.cluster.pods.values()}, pods)

    def test_deleting_a_chain_deletes_its_versions(self):
        self.deploy()
        self.home.good("delete", "hello")
        wait_until(lambda: not self.cluster.pods and not self.cluster.get(f"{CONFIGMAPS}/hello-v1"), "nothing to be left", LIMIT_S)
        self.deploy("v2")  # a chain of that name may come again
        self.assertEqual(self.call(), (200, ["Hello, moon!"]))

    def test_a_chain_whose_pods_may_not_be_scaled_is_deleted(self):
        self.deploy()

        def refuse(handler):
            if not handler.place.endswith("/scale"):
                return False
            handler.reply(*status(403, "Forbidden", "nobody scales here"))
            return True
        self.cluster.api.faults.insert(0, refuse)
        self.home.good("delete", "hello")
        wait_until(lambda: not self.cluster.pods and not self.cluster.get(f"{CONFIGMAPS}/hello-v1"), "nothing to be left", LIMIT_S)
        self.assertIn("hello-v1-hello can't be scaled", self.said())

    def test_the_controller_ends_while_versions_come(self):
        self.deploy()
        for number in range(60):
            one = self.config_map("v1")
            one["metadata"]["name"] = f"hello-w{number}"
            one["data"]["version"] = f"w{number}"
            self.cluster.apply([one])
        wait_until(lambda: self.cluster.state("hello-w0"), "them to be seen", LIMIT_S)
        self.stop()
        self.assertEqual(self.daemon.returncode, 0)

    def test_scaling_that_fails_for_now_is_no_failure_of_a_version(self):
        self.deploy()
        self.scale("hello", "--min", "2", "--max", "2")
        refused = []

        def refuse(handler):
            if not handler.place.endswith("hello-v2-hello/scale") or len(refused) == 3:
                return False
            refused.append(handler.place)
            handler.reply(*status(500, "InternalError", "not now"))
            return True
        self.cluster.api.faults.insert(0, refuse)
        self.deploy("v2")
        self.assertEqual(len(refused), 3)
        self.assertEqual(self.cluster.replicas("hello-v2-hello"), 2)

    def test_secrets_are_asked_for_elsewhere(self):
        value = self.home.file("token")
        with open(value, "w", encoding="utf-8") as file:
            file.write("s3cret")
        for words in (["list"], ["set", "token", "--chain", "hello", "--file", value], ["delete", "token", "--chain", "hello"]):
            done = self.home.chains("secret", *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), words)
            said = " ".join(["chains secret", words[0], *(["NAME"] if words[0] != "list" else []), "--chain CHAIN --target kubernetes"])
            self.assertIn(f"keys of each chain's Secret CHAIN-secrets: `{said}`", done.stderr)

    def test_programs_of_this_machine_are_refused(self):
        done = self.home.chains("deploy", self.folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("`chains deploy --target kubernetes`", done.stderr)

    def test_an_api_server_that_comes_back_is_followed_again(self):
        self.deploy()
        self.cluster.api.cut()
        edit(os.path.join(self.folder, "hello_writer.c"), '"Hello"', '"Howdy"')
        self.deploy("v2")
        self.assertEqual(self.call(), (200, ["Howdy, moon!"]))


if __name__ == "__main__":
    main(Controller)
