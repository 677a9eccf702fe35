"""Where a cluster is, and who asks: kubeconfigs good and bad, and pods."""
import json
import os
import unittest

from cluster_testing import CONFIGMAPS, Authority, ClusterTest, base64_of, read

SERVER = "https://10.0.0.1:6443"


class KubeconfigTest(ClusterTest):
    def test_says_what_kubectl_would_take(self):
        config = self.config(cluster={"server": SERVER + "/"}, context={"namespace": "team"})
        shown = self.show("--kubeconfig", config)
        self.assertEqual(shown, {"server": SERVER, "namespace": "team", "origin": f"context 'here' of {config}"})
        self.assertEqual(self.show("--kubeconfig", config, "--namespace", "mine")["namespace"], "mine")
        self.assertEqual(self.show(env={"KUBECONFIG": config}), shown)
        os.mkdir(os.path.join(self.folder, ".kube"))
        home = self.config(".kube/config", cluster={"server": "https://home"})
        self.assertEqual(self.show(), {"server": "https://home", "namespace": "default", "origin": f"context 'here' of {home}"})

    def test_yaml_as_people_write_it(self):
        config = self.file("config", """
# by hand
apiVersion: v1
kind: Config
current-context: "two"
clusters:
- name: a
  cluster: &a {server: https://a.example, insecure-skip-tls-verify: true}
- name: b
  cluster: *a
contexts:
- {name: one, context: {cluster: a, user: me}}
- name: two
  context:
    cluster: b
    user: me
    namespace: 'on'
users:
- name: me
  user:
    token: 12345
preferences: {}
""")
        self.assertEqual(self.show("--kubeconfig", config)["namespace"], "on")
        self.assertEqual(self.show("--kubeconfig", config, "--context", "one")["namespace"], "default")

    def test_several_files_are_one_and_the_first_counts(self):
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        first = self.file("first", {"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "users": None})
        second = self.file("other/second", {
            "current-context": "x", "clusters": [{"name": "c", "cluster": {"server": SERVER, "certificate-authority": "ca.crt"}}],
            "contexts": [{"name": "x", "context": {"cluster": "none", "user": "none"}}], "users": [{"name": "u", "user": {"tokenFile": "token"}}]})
        self.file("other/ca.crt", "beside the file that names it")
        names = f"{self.folder}/absent:{first}::{second}"
        self.assertEqual(self.show(env={"KUBECONFIG": names})["origin"], f"context 'x' of {first}")
        os.unlink(os.path.join(other, "ca.crt"))
        self.assertIn(f"certificate-authority, which '{second}' names: '{other}/ca.crt' can't be read: No such file",
                      self.refused(env={"KUBECONFIG": names}))

    def test_files_that_are_none(self):
        absent = os.path.join(self.folder, "absent")
        self.assertIn(f"'{absent}' can't be read: No such file", self.refused("--kubeconfig", absent))
        self.assertIn("can't be read: Is a directory", self.refused("--kubeconfig", self.folder))
        for text, words in {
                "a: [": "line ", "clusters: 5": "clusters: expected", "clusters: [{cluster: {server: x}}]": "clusters[0]",
                "&a [*a]": "nested too deep", "? [a]\n: b": "a key that is no text", "text": "expected"}.items():
            said = self.refused("--kubeconfig", self.file("bad", text))
            self.assertIn("is none: ", said)
            self.assertIn(words, said)
        bombs = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
        self.assertIn("too large", self.refused("--kubeconfig", self.file("bomb", bombs)))

    def test_entries_that_do_not_fit(self):
        def said(**parts):
            return self.refused("--kubeconfig", self.config(**parts))
        good = {"server": SERVER}
        self.assertIn("cluster 'c' in", said())
        self.assertIn("it must be https://HOST:PORT", said(cluster={"server": "10.0.0.1"}))
        self.assertIn("certificate-authority-data in", said(cluster={**good, "certificate-authority-data": "%%"}))
        self.assertIn("client-certificate without its client-key", said(cluster=good, user={"client-certificate-data": "YQ=="}))
        self.assertIn("has no command", said(cluster=good, user={"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}))
        self.assertIn("client.authentication.k8s.io/v1 and v1beta1 are spoken; update 'aws'",
                      said(cluster=good, user={"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "aws"}}))
        self.assertIn("auth-provider 'gcp', which Kubernetes has given up", said(cluster=good, user={"auth-provider": {"name": "gcp"}}))
        config = self.config(cluster=good)
        self.assertIn("there is no context 'nix' in", self.refused("--kubeconfig", config, "--context", "nix"))
        self.assertIn(": here", self.refused("--kubeconfig", config, "--context", "nix"))
        text = json.loads(read(config))
        for change, words in (({"current-context": ""}, "has no current-context: name one with --context; there are: here"),
                              ({"users": []}, "means the user 'u', who isn't there"),
                              ({"clusters": []}, "means the cluster 'c', which isn't there")):
            self.assertIn(words, self.refused("--kubeconfig", self.file("changed", {**text, **change})))

    def test_no_cluster_at_all(self):
        self.assertIn("no cluster is known", self.refused())
        self.assertIn("name one with --kubeconfig FILE", self.refused())

    def test_in_a_pod(self):
        authority = Authority(self.file("x") + "-ca")
        api = self.new_api()
        folder = os.path.join(self.folder, "account")
        env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port), "CHAINS_SERVICE_ACCOUNT_DIR": folder}
        self.assertIn("automountServiceAccountToken: true", self.refused(env=env))
        os.mkdir(folder)
        self.file("account/token", "secret\n")
        self.file("account/namespace", "team\n")
        self.file("account/ca.crt", read(authority.certificate).decode())
        self.assertEqual(self.show(env=env), {"server": f"https://127.0.0.1:{api.port}", "namespace": "team",
                                              "origin": "the service account of this pod"})
        self.assertEqual(self.show(env={**env, "KUBERNETES_SERVICE_HOST": "fd00::1"})["server"], f"https://[fd00::1]:{api.port}")
        # An empty kubeconfig doesn't count there, one that says something does.
        self.assertEqual(self.show(env={**env, "KUBECONFIG": self.file("empty", "")})["namespace"], "team")
        self.assertEqual(self.show(env={**env, "KUBECONFIG": self.config(cluster={"server": SERVER})})["server"], SERVER)


class LoginTest(ClusterTest):
    def headers_of(self, user, *lines, env=None, count=1):
        """What the API server was told by requests of that user."""
        api = self.new_api()
        config = self.config(cluster={"server": api.url}, user=user)
        answers = self.asks(config, *(lines or [f"GET 0 {CONFIGMAPS}"] * count), env=env)
        for answer in answers:
            self.assertEqual(answer["status"], "OK", answer)
        return [headers for _, _, headers in api.requests]

    def program(self, text, name="plugin"):
        path = self.file(name, "#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
        return path

    def exec_of(self, text, version="v1", **more):
        return {"exec": {"apiVersion": f"client.authentication.k8s.io/{version}", "command": self.program(text), **more}}

    @staticmethod
    def credential(version="v1", **status):
        return json.dumps({"apiVersion": f"client.authentication.k8s.io/{version}", "kind": "ExecCredential", "status": status})

    def test_tokens_and_passwords(self):
        self.assertEqual(self.headers_of({"token": "abc"})[0]["Authorization"], "Bearer abc")
        self.assertEqual(self.headers_of({"username": "me", "password": "pass"})[0]["Authorization"], "Basic bWU6cGFzcw==")
        self.file("token", "fresh\n")
        self.assertEqual(self.headers_of({"tokenFile": "token", "token": "old"})[0]["Authorization"], "Bearer fresh")
        self.assertNotIn("Authorization", self.headers_of({})[0])

    def test_impersonation(self):
        headers = self.headers_of({"token": "abc", "as": "jane", "as-groups": ["a"], "as-uid": "7", "as-user-extra": {"why": ["test"]}})[0]
        self.assertEqual([headers[f"Impersonate-{name}"] for name in ("User", "Group", "Uid", "Extra-why")], ["jane", "a", "7", "test"])

    def test_a_token_that_is_none(self):
        api = self.new_api()
        self.file("token", "two\nlines\n")
        config = self.config(cluster={"server": api.url}, user={"tokenFile": "token"})
        self.assert_said(self.ask(config), "UNAUTHENTICATED", "the token of user 'u' isn't one")
        os.unlink(os.path.join(self.folder, "token"))
        self.assert_said(self.ask(config), "UNAUTHENTICATED", "the token of user 'u' can't be read", "No such file")
        self.assertEqual(api.requests, [])

    def test_a_program_says_a_token(self):
        for version in ("v1", "v1beta1"):
            note = os.path.join(self.folder, f"note-{version}")
            user = self.exec_of(f'echo "$1 $OWN $KUBERNETES_EXEC_INFO" >> {note}\necho \'{self.credential(version, token="abc")}\'', version,
                                args=["word"], env=[{"name": "OWN", "value": "a b"}], provideClusterInfo=True, interactiveMode="IfAvailable")
            headers = self.headers_of(user, count=3)
            self.assertEqual([one["Authorization"] for one in headers], ["Bearer abc"] * 3)
            ran = read(note).decode().splitlines()
            self.assertEqual(len(ran), 1)
            self.assertTrue(ran[0].startswith("word a b {"))
            info = json.loads(ran[0][9:])
            self.assertEqual((info["kind"], info["apiVersion"], info["spec"]["interactive"]),
                             ("ExecCredential", f"client.authentication.k8s.io/{version}", False))
            self.assertIn("http://127.0.0.1:", info["spec"]["cluster"]["server"])

    def test_a_program_is_told_of_the_cluster(self):
        note = os.path.join(self.folder, "note")
        user = self.exec_of(f'echo "$KUBERNETES_EXEC_INFO" > {note}\nexit 1', provideClusterInfo=True)
        authority = self.file("ca.crt", "PEM")
        cluster = {"server": SERVER, "tls-server-name": "x.internal", "insecure-skip-tls-verify": "true", "proxy-url": "http://p"}
        for more in ({"certificate-authority": authority}, {"certificate-authority-data": base64_of(authority)}):
            self.assertEqual(self.ask(self.config(cluster={**cluster, **more}, user=user))["status"], "UNAUTHENTICATED")
            self.assertEqual(json.loads(read(note))["spec"]["cluster"], {
                "server": SERVER, "tls-server-name": "x.internal", "insecure-skip-tls-verify": True, "proxy-url": "http://p",
                "certificate-authority-data": "UEVN"})

    def test_a_program_is_asked_again_when_it_expires(self):
        note = os.path.join(self.folder, "note")
        for expires, count in (("2020-01-31T12:00:00Z", 3), ("2999-01-31T12:00:00.5+01:00", 1)):
            user = self.exec_of(f"echo >> {note}\necho '{self.credential(token='abc', expirationTimestamp=expires)}'")
            self.headers_of(user, count=3)
            self.assertEqual(len(read(note)), count)
            os.unlink(note)

    def test_a_program_is_asked_again_when_it_is_refused(self):
        note = os.path.join(self.folder, "note")
        credential = self.credential(token="token-'$(wc -l < %s)'" % note)
        api = self.new_api()
        config = self.config(cluster={"server": api.url}, user=self.exec_of(f"echo >> {note}\necho '{credential}'"))

        def refuse(handler):
            if handler.headers["Authorization"] != "Bearer token-1":
                return False
            handler.reply(401, {"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized"})
            return True
        api.faults.append(refuse)
        self.assertEqual(self.ask(config)["status"], "OK")
        self.assertEqual([headers["Authorization"] for _, _, headers in api.requests], ["Bearer token-1", "Bearer token-2"])
        # Once: who is refused again is told so.
        api.faults[0] = lambda handler: handler.reply(401, b"no") or True
        self.assert_said(self.ask(config), "UNAUTHENTICATED", "doesn't accept what the program", "log in again with its tool")
        self.assertEqual(len(api.requests), 4)

    def test_programs_that_fail(self):
        api = self.new_api()

        def said(user, *words):
            self.assert_said(self.ask(self.config(cluster={"server": api.url}, user=user)), "UNAUTHENTICATED", *words)
        said(self.exec_of("echo first >&2; echo 'no login: run x login' >&2; exit 3"), "failed (exit status 3): no login: run x login")
        said(self.exec_of("kill -9 $$"), "killed by signal 9")
        said(self.exec_of("echo hello"), "didn't say an ExecCredential")
        said(self.exec_of("echo '{}'"), "where an ExecCredential of 'client.authentication.k8s.io/v1' is expected")
        said(self.exec_of(f"echo '{self.credential('v1beta1', token='abc')}'"), "is expected")
        said(self.exec_of(f"echo '{self.credential()}'"), "neither a token nor a certificate with its key")
        said(self.exec_of(f"echo '{self.credential(clientCertificateData='abc')}'"), "neither a token nor a certificate with its key")
        said(self.exec_of(f"echo '{self.credential(token='abc', expirationTimestamp='soon')}'"), "an expirationTimestamp that is none: 'soon'")
        said(self.exec_of("yes | head -c 3000000"), "didn't say an ExecCredential")
        said(self.exec_of("exit 0", interactiveMode="Always"), "asks questions, and there is no terminal")
        said({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "chains-no-such-program", "installHint": "apt install it"}},
             "can't be run: No such file or directory. apt install it")
        self.assertEqual(api.requests, [])

    def test_a_program_beside_the_kubeconfig(self):
        os.mkdir(os.path.join(self.folder, "bin"))
        self.program(f"echo '{self.credential(token='abc')}'", "bin/plugin")
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./bin/plugin"}}
        self.assertEqual(self.headers_of(user)[0]["Authorization"], "Bearer abc")


class PathsTest(ClusterTest):
    def test_objects_are_applied_where_they_belong(self):
        api = self.new_api()
        config = self.config(cluster={"server": api.url + "/prefix"}, context={"namespace": "team"})

        def path(text):
            answer = self.ask(config, f"0 {self.file('object', text)}", verb="apply")
            self.assertEqual(answer["http"], 404 if "/prefix" in config else answer["http"])
            return api.requests[-1][1]
        self.assertEqual(path('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}'),
                         "/prefix/api/v1/namespaces/team/configmaps/x?fieldManager=chains&force=true")
        self.assertEqual(path("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: a/b\n  namespace: other\n"),
                         "/prefix/apis/networking.k8s.io/v1/namespaces/other/networkpolicies/a%2Fb?fieldManager=chains&force=true")
        self.assertEqual(path("apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"), "/prefix/api/v1/namespaces/x?fieldManager=chains&force=true")
        self.assertEqual(path("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x}\n"),
                         "/prefix/apis/networking.k8s.io/v1/namespaces/team/ingresses/x?fieldManager=chains&force=true")
        self.assertEqual(api.requests[-1][2]["Content-Type"], "application/apply-patch+yaml")
        count = len(api.requests)
        for text, words in (("a: [", "neither YAML nor JSON: line"), ("kind: X", "a manifest is no object"),
                            ("kind: X\nmetadata: {}", "it has no apiVersion"), ("apiVersion: v1\nkind: X\nmetadata: {}", "no metadata.name")):
            self.assert_said(self.ask(config, f"0 {self.file('object', text)}", verb="apply"), "INVALID_ARGUMENT", words)
        self.assertEqual(len(api.requests), count)


class CertificateTest(ClusterTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(os.path.join(self.folder, "ca"))

    def new_tls(self, name="server", clients=True, **options):
        from fake_api import server_tls
        certificate, key = self.authority.sign(name, **options)
        return self.new_api(server_tls(certificate, key, self.authority.certificate if clients else None))

    def cluster(self, api, **more):
        return {"server": api.url, "certificate-authority-data": base64_of(self.authority.certificate), **more}

    def user(self, name="me", **options):
        certificate, key = self.authority.sign(name, **options)
        return {"client-certificate-data": base64_of(certificate), "client-key-data": base64_of(key)}

    def subjects(self, api):
        """Who shows a certificate is written down."""
        seen = []
        api.faults.append(lambda handler: seen.append((handler.request.getpeercert() or {}).get("subject")))
        return seen

    def test_client_certificates(self):
        api = self.new_tls()
        seen = self.subjects(api)
        self.assertEqual(self.ask(self.config(cluster=self.cluster(api), user=self.user()))["status"], "OK")
        certificate, key = self.authority.sign("files")
        files = {"client-certificate": os.path.relpath(certificate, self.folder), "client-key": key}
        cluster = {"server": api.url, "certificate-authority": "ca/ca.crt"}
        self.assertEqual(self.ask(self.config(cluster=cluster, user=files))["status"], "OK")
        program = self.file("plugin", "#!/bin/sh\ncat %s" % self.file("credential", {
            "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
            "status": {"clientCertificateData": read(certificate).decode(), "clientKeyData": read(key).decode()}}))
        os.chmod(program, 0o755)
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": program}}
        self.assertEqual(self.ask(self.config(cluster=self.cluster(api), user=user))["status"], "OK")
        self.assertEqual(seen, [((("commonName", name),),) for name in ("me", "files", "files")])

    def test_one_connection_for_many_requests(self):
        api = self.new_tls()
        config = self.config(cluster=self.cluster(api), user=self.user())
        self.assertEqual({one["status"] for one in self.asks(config, *[f"GET 0 {CONFIGMAPS}"] * 20)}, {"OK"})
        self.assertEqual(api.connection_count, 1)

    def test_certificates_that_can_not_be_used(self):
        api = self.new_tls()
        broken = {"client-certificate-data": base64_of(self.file("no.pem", "no certificate")), "client-key-data": base64_of(self.authority.key)}
        self.assert_said(self.ask(self.config(cluster=self.cluster(api), user=broken)), "FAILED_PRECONDITION",
                         "the client certificate or key of user 'u'")
        self.assertEqual(api.requests, [])

    def test_a_client_certificate_that_has_ended(self):
        api = self.new_tls(clients=False)  # as an API server: it looks at the certificate, and says 401
        api.faults.append(lambda handler: handler.reply(401, {"kind": "Status", "reason": "Unauthorized", "message": "Unauthorized"}) or True)
        answer = self.ask(self.config(cluster=self.cluster(api), user=self.user(ended=True)))
        self.assert_said(answer, "UNAUTHENTICATED", "the client certificate of user 'u'", "ended on 2020-02-01 00:00 UTC: get a new one")
        answer = self.ask(self.config(cluster=self.cluster(api), user=self.user("other")))
        self.assert_said(answer, "UNAUTHENTICATED", "they have ended, or are another cluster's")
        self.assert_said(self.ask(self.config(cluster=self.cluster(api))), "UNAUTHENTICATED", "has no credentials")

    def test_servers_that_are_not_trusted(self):
        api = self.new_tls()
        other = Authority(os.path.join(self.folder, "other"), "other")
        config = self.config(cluster={**self.cluster(api), "certificate-authority-data": base64_of(other.certificate)})
        self.assert_said(self.ask(config, f"GET 60 {CONFIGMAPS}"), "FAILED_PRECONDITION", "is from an authority that context 'here' of", "doesn't trust")
        self.assert_said(self.ask(self.config(cluster={"server": api.url})), "FAILED_PRECONDITION", "from an authority")
        self.assertEqual(self.ask(self.config(cluster={"server": api.url, "insecure-skip-tls-verify": True}))["status"], "OK")
        ended = self.new_tls("ended", ended=True)
        self.assert_said(self.ask(self.config(cluster=self.cluster(ended))), "FAILED_PRECONDITION", "has expired", "kubeadm certs renew")
        garbage = {"server": api.url, "certificate-authority-data": "YWJj"}
        self.assertEqual(self.ask(self.config(cluster=garbage))["status"], "FAILED_PRECONDITION")

    def test_servers_with_another_name(self):
        api = self.new_tls("named", names="DNS:api.internal")
        self.assert_said(self.ask(self.config(cluster=self.cluster(api))), "FAILED_PRECONDITION", "is for other names", "tls-server-name")
        hosts = []
        api.faults.append(lambda handler: hosts.append(handler.headers["Host"]))
        config = self.config(cluster=self.cluster(api, **{"tls-server-name": "api.internal"}), user=self.user())
        self.assertEqual(self.ask(config)["status"], "OK")
        self.assertEqual(hosts, [f"127.0.0.1:{api.port}"])
        wrong = self.config(cluster=self.cluster(api, **{"tls-server-name": "other.internal"}))
        self.assert_said(self.ask(wrong), "FAILED_PRECONDITION", "is for other names")

    def test_plain_and_tls_mixed_up(self):
        api = self.new_tls()
        self.assertIn(self.ask(self.config(cluster={"server": api.url.replace("https", "http")}))["status"], ("UNAVAILABLE", "INVALID_ARGUMENT"))
        plain = self.new_api()
        self.assert_said(self.ask(self.config(cluster={"server": plain.url.replace("http", "https")})), "UNAVAILABLE", "doesn't speak TLS as it should")


unittest.main(verbosity=2)
