"""A test case on the cluster that kubernetes_test.py has brought up."""
import os

from asset_site import AssetSite
from chains_testing import HomeTest
from recordings import RECORDING, wave
from versions import change


class ClusterTest(HomeTest):
    cluster = None

    def small_poem(self, name="poem"):
        """The example, asking for so little that several pods have room on a node."""
        folder = self.home.copy("examples/poem", name)
        change(os.path.join(folder, "phi_llm.h"), ('.cpu = 2, .memory = "4Gi"', '.cpu = 0.1, .memory = "64Mi"'))
        return folder

    def busy_chain(self, name):
        """The chain here, whose workers use as much CPU as they are told to pause, and scale by that."""
        folder = self.home.copy("tests/kubernetes/chain", name)
        change(os.path.join(folder, "worker.h"), (".concurrency = 4", ".concurrency = 4, .cpu = 0.1, .autoscaling = { .min_replicas = 1, "
                                                  ".max_replicas = 2, .target_utilization = 0.1, .scale_down_delay_s = 20 }"))
        change(os.path.join(folder, "worker.c"), ("nanosleep(&pause, NULL);", """struct timespec used;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    while (used.tv_sec < since.tv_sec + pause.tv_sec ||
           (used.tv_sec == since.tv_sec + pause.tv_sec && used.tv_nsec < since.tv_nsec + pause.tv_nsec));"""),
               ("(void)self;\n    chains_log", "(void)self;\n    struct timespec since;\n    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &since);\n    chains_log"))
        return folder

    def autoscaler(self, version, chainlet):
        """(status, reason) of whether its HorizontalPodAutoscaler does anything."""
        scaler = self.cluster.get("hpa.v2beta2.autoscaling", version.names[chainlet])
        return next(((each["status"], each["reason"]) for each in scaler["status"].get("conditions", []) if each["type"] == "ScalingActive"), None)

    def check_poem(self, poems):
        self.assertEqual([True, True], [word in poem for word, poem in zip(("moon", "sun"), poems)])

    def check_transcribe(self, ask):
        """ask(media_url=…) gives its answer."""
        site = AssetSite(self.cluster.layout.gateway)
        self.addCleanup(site.close)
        with open(RECORDING, "rb") as file:
            site.files["/goforward.wav"] = wave(file.read())
        answer = ask(media_url=f"{site.url}/goforward.wav")
        self.assertEqual(["go forward ten meters"], [segment["text"] for segment in answer["segments"]])
