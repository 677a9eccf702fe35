/* transcribe and media_chunk with a fake speech, against a web server in this process.
 *
 * The recordings are made here: "words" that are tones, each of a pitch of its own, with pauses
 * between them. The fake knows a word by its pitch, so that a word lost, doubled or cut in two
 * shows, wherever the recording is divided. */
#include "transcribe.h"

#include "../demo/media_server.c" /* a test is one file, so it brings the server along */

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>

static int failures;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);               \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

/* ---- the sound of words */

/* A prime number of words: the ends of equal parts of the recording then lie within words. */
enum { WORDS = 59, BASE_HZ = 400, STEP_HZ = 25 };

static const double word_s = 0.4, pause_s = 0.3, recording_s = WORDS * (0.4 + 0.3);

static double sound_at(double at_s)
{
    double in_word_s = fmod(at_s, word_s + pause_s);
    if (in_word_s >= word_s)
        return 0;
    int word = (int)(at_s / (word_s + pause_s));
    return 0.5 * sin(2 * 3.14159265358979 * (BASE_HZ + STEP_HZ * word) * in_word_s);
}

static void put_le(FILE *file, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> 8 * i & 0xff), file);
}

static void write_wav(const char *path, uint32_t rate, uint32_t channels)
{
    FILE *file = fopen(path, "wb");
    uint32_t frames = (uint32_t)(recording_s * rate), bytes = frames * channels * 2;
    fputs("RIFF", file);
    put_le(file, 36 + bytes, 4);
    fputs("WAVEfmt ", file);
    put_le(file, 16, 4);
    put_le(file, 1, 2); /* PCM */
    put_le(file, channels, 2);
    put_le(file, rate, 4);
    put_le(file, rate * channels * 2, 4);
    put_le(file, channels * 2, 2);
    put_le(file, 16, 2);
    fputs("data", file);
    put_le(file, bytes, 4);
    for (uint32_t i = 0; i < frames; i++) {
        int16_t sample = (int16_t)lround(32767 * sound_at((double)i / rate));
        for (uint32_t j = 0; j < channels; j++)
            put_le(file, (uint16_t)sample, 2);
    }
    fclose(file);
}

/* Hands a frame to the encoder, or NULL at the end, and what it makes of it to the file. */
static bool encode(AVFormatContext *file, AVCodecContext *encoder, const AVFrame *frame)
{
    AVPacket *packet = av_packet_alloc();
    bool good = avcodec_send_frame(encoder, frame) >= 0;
    while (good && avcodec_receive_packet(encoder, packet) >= 0) {
        av_packet_rescale_ts(packet, encoder->time_base, file->streams[0]->time_base);
        good = av_interleaved_write_frame(file, packet) >= 0;
    }
    av_packet_free(&packet);
    return good;
}

/* AAC in MP4: compressed, with the index at the end of the file. */
static bool write_mp4(const char *path, int rate)
{
    AVFormatContext *file = NULL;
    avformat_alloc_output_context2(&file, NULL, "mp4", path);
    AVStream *stream = avformat_new_stream(file, NULL);
    AVCodecContext *encoder = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_AAC));
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    encoder->sample_rate = rate;
    encoder->time_base = (AVRational){ 1, rate };
    encoder->bit_rate = 96000;
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_channel_layout_default(&encoder->ch_layout, 1);
    bool good = avcodec_open2(encoder, NULL, NULL) >= 0 &&
                avcodec_parameters_from_context(stream->codecpar, encoder) >= 0 &&
                avio_open(&file->pb, path, AVIO_FLAG_WRITE) >= 0 &&
                avformat_write_header(file, NULL) >= 0;

    AVFrame *frame = av_frame_alloc();
    for (int at = 0; good && at < (int)(recording_s * rate); at += encoder->frame_size) {
        frame->format = encoder->sample_fmt;
        frame->nb_samples = encoder->frame_size;
        frame->pts = at;
        av_channel_layout_copy(&frame->ch_layout, &encoder->ch_layout);
        good = av_frame_get_buffer(frame, 0) >= 0;
        for (int i = 0; good && i < frame->nb_samples; i++)
            ((float *)(void *)frame->data[0])[i] = (float)sound_at((double)(at + i) / rate);
        good = good && encode(file, encoder, frame);
        av_frame_unref(frame);
    }
    good = good && encode(file, encoder, NULL) && av_write_trailer(file) >= 0;
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    avio_closep(&file->pb);
    avformat_free_context(file);
    return good;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    fputs(text, file);
    fclose(file);
}

/* ---- the fake: hears the pitch of each word */

enum { RATE = 16000, FRAME = RATE / 100 };

static bool is_loud(const int16_t *frame)
{
    int64_t energy = 0;
    for (int i = 0; i < FRAME; i++)
        energy += (int64_t)frame[i] * frame[i];
    return energy / FRAME > 1000 * 1000;
}

/* The word that sounds in count samples; -1: a piece of one, or none. */
static int name_word(const int16_t *samples, size_t count)
{
    double length_s = (double)count / RATE;
    if (fabs(length_s - word_s) > 0.05)
        return -1;
    int rises = 0;
    bool low = true;
    for (size_t i = 0; i < count; i++) { /* past zero by so much that silence doesn't count */
        if (low && samples[i] > 3000)
            rises++;
        if (abs(samples[i]) > 3000)
            low = samples[i] < 0;
    }
    /* Counted over the word's own length: the frames at its ends are partly silent. */
    return (int)lround((rises / word_s - BASE_HZ) / STEP_HZ);
}

chains_status speech_run_remote(speech *self, chains_ctx *ctx, chains_bytes samples,
                                const char **text, double *start_s, double *end_s)
{
    (void)self;
    size_t count = samples.size / 2, first = 0;
    int16_t *at = chains_alloc(ctx, samples.size);
    memcpy(at, samples.data, samples.size);
    *text = "";
    *start_s = *end_s = 0;
    bool speaking = false;
    for (size_t i = 0; i + FRAME <= count; i += FRAME) {
        bool loud = is_loud(at + i);
        bool last = i + 2 * FRAME > count;
        if (loud && !speaking)
            first = i;
        if (speaking && (!loud || last)) {
            *text = chains_printf(ctx, "%s%s%d", *text, **text ? " " : "",
                                  name_word(at + first, i - first));
            *end_s = (double)i / RATE;
        }
        if (loud && !speaking && !**text)
            *start_s = (double)i / RATE;
        speaking = loud;
    }
    return CHAINS_OK;
}

/* ---- the tests */

typedef struct {
    chains_ctx *ctx;
    media_chunk *chunks;
    transcribe *chain;
    media_server *server;
    char folder[64];
} fixture;

static const char *url_of(const fixture *at, const char *path)
{
    return chains_printf(at->ctx, "http://127.0.0.1:%d/%s", media_server_port(at->server), path);
}

/* Every word once and in order, at the right time, however the recording is divided. */
static void test_words(fixture *at, const char *name, double chunk_s, double utterance_s)
{
    segment_list segments = { 0 };
    double input_s = 0, processing_s = 0, speedup = 0;
    chains_status status =
        transcribe_run_remote(at->chain, at->ctx, url_of(at, name), chunk_s, utterance_s, 1,
                              &segments, &input_s, &processing_s, &speedup);
    EXPECT(status == CHAINS_OK);
    if (status != CHAINS_OK)
        return;
    EXPECT(fabs(input_s - recording_s) < 0.1);
    EXPECT(processing_s > 0 && fabs(speedup * processing_s - input_s) < 0.01);
    /* Parts are a little shorter or longer than asked for, by where they are cut. */
    double parts = fmax(1, round(recording_s / chunk_s));
    double utterances = parts * fmax(1, round(recording_s / parts / utterance_s));
    EXPECT(fabs((double)segments.count - utterances) <= parts / 2);

    int expected = 0;
    for (size_t i = 0; i < segments.count; i++) {
        const segment *at_hand = &segments.items[i];
        EXPECT(fabs(at_hand->start_s - expected * (word_s + pause_s)) < 0.05);
        char *rest = (char *)at_hand->text;
        while (*rest) {
            long word = strtol(rest, &rest, 10);
            if (word != expected)
                fprintf(stderr, "%s in parts of %g s: word %d was heard as '%s'\n", name, chunk_s,
                        expected, at_hand->text);
            EXPECT(word == expected);
            expected++;
        }
        EXPECT(fabs(at_hand->end_s - (expected * (word_s + pause_s) - pause_s)) < 0.05);
    }
    EXPECT(expected == WORDS);
}

/* Only the parts are downloaded, with what overlaps around the cuts, and the header. */
static void test_ranges(fixture *at)
{
    uint64_t before = media_server_bytes_sent(at->server);
    test_words(at, "mono.wav", 10, 5);
    uint64_t sent = media_server_bytes_sent(at->server) - before;
    uint64_t size = (uint64_t)(recording_s * RATE * 2), header = 72 * 1024;
    uint64_t cuts = 3 * 2 * 2 * RATE * 2; /* three, by both neighbours, 2 s of 16 bits each */
    EXPECT(sent <= size + cuts + 5 * header);
}

static void expect_error(fixture *at, const char *url, chains_status expected, const char *words)
{
    segment_list segments;
    double input_s, processing_s, speedup;
    chains_status status = transcribe_run_remote(at->chain, at->ctx, url, 60, 10, 1, &segments,
                                                 &input_s, &processing_s, &speedup);
    const chains_error *error = chains_last_error(at->ctx);
    if (status != expected || !error || !strstr(error->message, words)) {
        fprintf(stderr, "%s: expected %s '%s', got %s '%s'\n", url, chains_status_name(expected),
                words, chains_status_name(status), error ? error->message : "");
        failures++;
    }
}

static void test_errors(fixture *at)
{
    expect_error(at, url_of(at, "no-ranges/mono.wav"), CHAINS_FAILED_PRECONDITION,
                 "doesn't serve ranges");
    expect_error(at, url_of(at, "absent.wav"), CHAINS_NOT_FOUND, "absent.wav");
    expect_error(at, url_of(at, "page.html"), CHAINS_INVALID_ARGUMENT, "no media");
    expect_error(at, url_of(at, "empty.wav"), CHAINS_INVALID_ARGUMENT, "empty");
    expect_error(at, url_of(at, "status/403"), CHAINS_PERMISSION_DENIED, "403");
    expect_error(at, url_of(at, "status/503"), CHAINS_UNAVAILABLE, "503");
    expect_error(at, "ftp://127.0.0.1/mono.wav", CHAINS_INVALID_ARGUMENT, "http");
    expect_error(at, "http://127.0.0.1:1/mono.wav", CHAINS_UNAVAILABLE, "can't be downloaded");
}

/* A file that is replaced between two of its downloads isn't stitched together. */
static void test_changed(fixture *at)
{
    recording source = { url_of(at, "mono.wav"), 1000, recording_s };
    segment_list segments;
    EXPECT(media_chunk_run_remote(at->chunks, at->ctx, source, 0, 10, 10, 1, &segments) ==
           CHAINS_ABORTED);
}

int main(void)
{
    fixture at = { .folder = "/tmp/transcribe-test-XXXXXX" };
    if (!mkdtemp(at.folder) || chdir(at.folder) < 0)
        return 1;
    av_log_set_level(AV_LOG_QUIET);
    write_wav("mono.wav", RATE, 1);
    write_wav("stereo.wav", 44100, 2);
    EXPECT(write_mp4("sound.mp4", 44100));
    write_text("page.html", "<html><body>No sound here.</body></html>\n");
    write_text("empty.wav", "");
    at.server = media_server_start(at.folder, 0);
    if (!at.server)
        return 1;

    at.ctx = chains_open(NULL);
    speech *recognizer = speech_new(at.ctx);
    at.chunks = media_chunk_new(at.ctx, recognizer);
    at.chain = transcribe_new(at.ctx, at.chunks);
    test_words(&at, "mono.wav", 600, 30);
    test_words(&at, "mono.wav", 7, 3);
    test_words(&at, "stereo.wav", 11, 4);
    test_words(&at, "sound.mp4", 7, 3);
    test_ranges(&at);
    test_errors(&at);
    test_changed(&at);
    transcribe_free(at.chain);
    media_chunk_free(at.chunks);
    speech_free(recognizer);
    chains_close(at.ctx);

    media_server_stop(at.server);
    const char *const files[] = { "mono.wav", "stereo.wav", "sound.mp4", "page.html", "empty.wav" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    rmdir(at.folder);
    return failures > 0;
}
