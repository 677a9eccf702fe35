# Streams through generated code: a callee in C++ that throws in mid-stream, in its caller's service; and a fake that emits.
. "$(dirname "$0")/support.sh"
cp -r "$here/../e2e/stream" "$scratch/stream"
cd "$scratch/stream"
rm talker.c
cat >talker.cc <<'END'
extern "C" {
#include "talker.h"
}
#include <stdexcept>
#include <string>
struct talker {
    int unused;
};
talker *talker_new(chains_ctx *)
{
    return new talker();
}
chains_status talker_run_remote(talker *, chains_ctx *, int count, int, int trouble_at, trouble_kind, int *said,
                                talker_words *words)
{
    for (int i = 0; i < count; i++) {
        if (i == trouble_at)
            throw std::runtime_error("thrown at " + std::to_string(i));
        std::string text = "w" + std::to_string(i);
        CHAINS_TRY(words->emit(words, talker_word{ text.c_str(), i }));
    }
    *said = count;
    return CHAINS_OK;
}
void talker_free(talker *self)
{
    delete self;
}
END
sed 's/\.retries = 2/.retries = 2, .colocate = true/' stream.h >changed && mv changed stream.h
expect '{"words":[{"text":"w0","index":0},{"text":"w1","index":1}],"said":2}' "$chains" run --strict --input '{"count": 2}'
refuse 1 'exception: thrown at 1' "$chains" run --stream --input '{"count": 2, "trouble_at": 1}'
grep -q -F '{"item":{"text":"w0","index":0}}' "$scratch/output" || fail "no item before the exception: $(cat "$scratch/output")"

# Deployed, without any address of the talker.
"$chains" build >"$scratch/built" 2>&1 || fail "$(cat "$scratch/built")"
env -u CHAINS_TALKER_URL .chains/bin/stream --listen "unix:$scratch/socket" >"$scratch/served" 2>&1 &
child=$!
tries=0
until [ -S "$scratch/socket" ] || [ $tries = 500 ] || ! kill -0 $child 2>/dev/null; do
    tries=$((tries + 1))
    sleep 0.02
done
python3 - "$scratch/socket" <<'END' || fail "$(cat "$scratch/served")"
import socket, sys
body = b'{"count": 3, "trouble_at": 2, "between": true}'
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"POST /run_remote HTTP/1.0\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n"
          b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
answer = b"".join(iter(lambda: s.recv(65536), b""))
events = answer.split(b"\r\n\r\n", 1)[1].split(b"\n\n")
assert events[0] == b'event: item\ndata: {"text":"w0","index":1000}', answer
assert events[1] == b'event: item\ndata: {"text":"w1","index":1001}', answer
assert events[2].startswith(b'event: error\ndata: {"status":"INTERNAL","message":"exception: thrown at 2"'), answer
END
kill $child

# A fake emits as the real one does.
cat >fake.c <<'END'
#include "talker.h"
chains_status talker_run_remote(talker *self, chains_ctx *ctx, int count, int size, int trouble_at, trouble_kind trouble,
                                int *said, talker_words *words)
{
    (void)self, (void)ctx, (void)size, (void)trouble_at, (void)trouble;
    CHAINS_TRY(words->emit(words, (talker_word){ "fake", count }));
    *said = 1;
    return CHAINS_OK;
}
END
expect '{"words":[{"text":"fake","index":5}],"said":1}' "$chains" run --fake fake.c --input '{"count": 5}'
finish
