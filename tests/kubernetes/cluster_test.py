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
