"""Small images for the test cluster, and how they get into its registry: a layer of files on nothing."""
import gzip
import hashlib
import http.client
import io
import json
import tarfile


def layer(files):
    """A tar of {path in the image: file here}, all executable, of nobody in particular."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, source in sorted(files.items()):
            with open(source, "rb") as file:
                data = file.read()
            info = tarfile.TarInfo(path.lstrip("/"))
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    """A registry on plain HTTP."""

    def __init__(self, address):
        self.address = address

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {said.decode(errors='replace')}")
            return answer
        finally:
            connection.close()

    def put_blob(self, name, data):
        place = self.ask("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
        path = "/" + place.split("://", 1)[-1].split("/", 1)[1]
        self.ask("PUT", f"{path}{'&' if '?' in path else '?'}digest={digest(data)}", data, Content_Type="application/octet-stream")
        return {"digest": digest(data), "size": len(data)}

    def push(self, name, tag, files, entrypoint, user="65534:65534"):
        """An image with one layer; gives the name to pull it by."""
        tar = layer(files)
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Entrypoint": entrypoint, "User": user},
                             "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}}).encode()
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **self.put_blob(name, config)},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                        **self.put_blob(name, gzip.compress(tar, mtime=0))}]}).encode()
        self.ask("PUT", f"/v2/{name}/manifests/{tag}", manifest, Content_Type="application/vnd.oci.image.manifest.v1+json")
        return f"{self.address}/{name}:{tag}"
