#!/usr/bin/env python3
"""Chains on a real two-node cluster: kubernetes_test.py [UNITTEST'S WORDS...], such as `applied_test.Applied.test_poem`."""
import sys
import unittest

import cluster_test
from cluster_testing import Cluster, why_not

MODULES = ["applied_test", "deployed_test", "autoscaled_test", "controlled_test"]


class Result(unittest.TextTestResult):
    """Tells of a failure at once: the rest takes minutes."""

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.stream.writeln(self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.stream.writeln(self.errors[-1][1])


def names_of(suite):
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from names_of(each)
        else:
            yield each.id()


def main():
    lacking = why_not()
    if lacking:
        names = names_of(unittest.defaultTestLoader.loadTestsFromNames(MODULES))
        print(f"skipped, as {lacking}:", *names, sep="\n    ")
        return 77
    cluster = cluster_test.ClusterTest.cluster = Cluster()
    try:
        words = [sys.argv[0], *(sys.argv[1:] or MODULES)]
        good = unittest.main(module=None, argv=words, exit=False, catchbreak=True,
                             testRunner=unittest.TextTestRunner(resultclass=Result, verbosity=2)).result.wasSuccessful()
        if not good:
            print(cluster.kubectl("get", "all", "--output=wide"),
                  cluster.kubectl("get", "events", "--sort-by=.lastTimestamp", "--field-selector=involvedObject.kind!=Node"), sep="\n")
    finally:
        cluster.close()
    left = cluster.left_behind()
    print(*left, sep="\n", end="\n" if left else "")
    print("left behind:", len(left))
    return 0 if good and not left else 1


if __name__ == "__main__":
    sys.exit(main())
