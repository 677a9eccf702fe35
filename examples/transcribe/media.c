/* libavformat over range requests, libavcodec, and libswresample down to 16 kHz mono.
 *
 * Every media_read starts anew: it seeks, resets the decoder and makes a resampler, so that what it
 * gives depends on its arguments only. Two that cut the same recording at the same place rely on
 * that. */
#include "media.h"

#include "range_source.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Containers of sound and video. Playlists and the like, which would open further files, are left
 * out on purpose: the URL comes from a stranger. */
#define FORMATS                                                                                    \
    "wav,w64,aiff,au,caf,flac,mp3,ogg,aac,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi"

enum {
    IO_BUFFER = 32 * 1024,
    /* Compressed formats: frames that are decoded and dropped before what is wanted, because a
     * frame may lean on those before it. */
    WARM_UP_MS = 500,
    /* libavformat reads uncompressed sound in packets of so many bytes, the last one whole. */
    WHOLE_PACKET = 4096,
    BAD_PACKETS = 50, /* in a row: then it is no longer a scratch but no media_file */
};

struct media_file {
    chains_ctx *ctx;
    const char *url;
    range_source *source;    /* owned */
    int64_t offset;          /* where libavformat reads next */
    AVIOContext *io;         /* owned, its buffer too */
    AVFormatContext *format; /* owned */
    AVCodecContext *decoder; /* owned */
    AVStream *stream;        /* of format */
    double duration_s;
    double start_s;      /* the timestamp that the file begins with */
    int64_t bytes_per_s; /* of uncompressed sound; 0 otherwise */
};

void media_prepare(void)
{
    range_source_prepare();
    av_log_set_level(AV_LOG_QUIET); /* failures come back as a status */
}

static int read_packet(void *user, uint8_t *buffer, int size)
{
    media_file *media = user;
    int64_t count = range_source_read(media->source, media->offset, buffer, (size_t)size);
    if (count == 0)
        return AVERROR_EOF;
    if (count < 0)
        return AVERROR(EIO);
    media->offset += count;
    return (int)count;
}

static int64_t seek(void *user, int64_t offset, int whence)
{
    media_file *media = user;
    int64_t size = range_source_size(media->source);
    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return size;
    case SEEK_SET:
        break;
    case SEEK_CUR:
        offset += media->offset;
        break;
    case SEEK_END:
        offset += size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    if (offset < 0)
        return AVERROR(EINVAL);
    return media->offset = offset;
}

/* A failure of libavformat or libavcodec: that of the download where there was one. */
static chains_status fail(media_file *media, chains_status status, const char *what, int code)
{
    if (range_source_status(media->source) != CHAINS_OK)
        return range_source_status(media->source);
    if (code == AVERROR(ENOMEM))
        return chains_fail(media->ctx, CHAINS_RESOURCE_EXHAUSTED, "no memory to decode %s",
                           media->url);
    char why[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, why, sizeof why);
    return chains_fail(media->ctx, status, "%s: %s (%s)", media->url, what, why);
}

/* Uncompressed sound whose header says everything: then the sound itself needn't be looked at. */
static bool is_described(const AVFormatContext *format)
{
    if (format->nb_streams != 1)
        return false;
    const AVStream *stream = format->streams[0];
    const AVCodecParameters *parameters = stream->codecpar;
    return parameters->codec_type == AVMEDIA_TYPE_AUDIO && parameters->sample_rate > 0 &&
           parameters->ch_layout.nb_channels > 0 && stream->duration > 0 &&
           av_get_exact_bits_per_sample(parameters->codec_id) > 0;
}

static chains_status open_format(media_file *media)
{
    unsigned char *buffer = av_malloc(IO_BUFFER);
    media->io = avio_alloc_context(buffer, IO_BUFFER, 0, media, read_packet, NULL, seek);
    AVFormatContext *format = avformat_alloc_context();
    if (!buffer || !media->io || !format) {
        if (!media->io)
            av_free(buffer);
        avformat_free_context(format);
        return fail(media, CHAINS_RESOURCE_EXHAUSTED, "not opened", AVERROR(ENOMEM));
    }
    format->pb = media->io;
    format->format_whitelist = av_strdup(FORMATS);
    int code = avformat_open_input(&format, NULL, NULL, NULL); /* frees format on failure */
    if (code < 0)
        return fail(media, CHAINS_INVALID_ARGUMENT, "this is no media that can be read", code);
    media->format = format;
    if (!is_described(format)) {
        code = avformat_find_stream_info(format, NULL);
        if (code < 0)
            return fail(media, CHAINS_INVALID_ARGUMENT, "the header can't be read", code);
    }
    format->max_probe_packets = 1; /* or it would look ahead for other formats after every seek */
    return range_source_status(media->source);
}

static chains_status open_decoder(media_file *media)
{
    const AVCodec *codec = NULL;
    int index = av_find_best_stream(media->format, AVMEDIA_TYPE_AUDIO, -1, -1, &codec, 0);
    if (index < 0)
        return fail(media, CHAINS_INVALID_ARGUMENT, "there is no sound in it", index);
    media->stream = media->format->streams[index];
    for (unsigned i = 0; i < media->format->nb_streams; i++)
        if ((int)i != index)
            media->format->streams[i]->discard = AVDISCARD_ALL;

    const AVCodecParameters *parameters = media->stream->codecpar;
    media->decoder = avcodec_alloc_context3(codec);
    int code = media->decoder ? avcodec_parameters_to_context(media->decoder, parameters)
                              : AVERROR(ENOMEM);
    if (code >= 0) {
        media->decoder->pkt_timebase = media->stream->time_base;
        code = avcodec_open2(media->decoder, codec, NULL);
    }
    if (code < 0)
        return fail(media, CHAINS_INVALID_ARGUMENT, "its sound can't be decoded", code);
    if (parameters->sample_rate <= 0 || parameters->ch_layout.nb_channels <= 0)
        return fail(media, CHAINS_INVALID_ARGUMENT, "its header is damaged", AVERROR_INVALIDDATA);
    int bits = av_get_exact_bits_per_sample(parameters->codec_id);
    media->bytes_per_s =
        (int64_t)bits * parameters->ch_layout.nb_channels * parameters->sample_rate / 8;
    return CHAINS_OK;
}

static chains_status find_duration(media_file *media)
{
    const AVFormatContext *format = media->format;
    const AVStream *stream = media->stream;
    if (stream->duration != AV_NOPTS_VALUE && stream->duration > 0)
        media->duration_s = (double)stream->duration * av_q2d(stream->time_base);
    else if (format->duration != AV_NOPTS_VALUE && format->duration > 0)
        media->duration_s = (double)format->duration / AV_TIME_BASE;
    else
        return fail(media, CHAINS_INVALID_ARGUMENT, "its header doesn't tell how long it is",
                    AVERROR_INVALIDDATA);
    if (stream->start_time != AV_NOPTS_VALUE)
        media->start_s = (double)stream->start_time * av_q2d(stream->time_base);
    return CHAINS_OK;
}

chains_status media_open(chains_ctx *ctx, const char *url, int64_t size, media_file **opened)
{
    media_file *media = chains_alloc(ctx, sizeof *media);
    media->ctx = ctx;
    media->url = chains_strdup(ctx, url);
    CHAINS_TRY(range_source_open(ctx, url, size, &media->source));
    chains_status status = open_format(media);
    if (status == CHAINS_OK)
        status = open_decoder(media);
    if (status == CHAINS_OK)
        status = find_duration(media);
    if (status != CHAINS_OK) {
        media_close(media);
        CHAINS_TRY(status);
    }
    *opened = media;
    return CHAINS_OK;
}

void media_close(media_file *media)
{
    if (!media)
        return;
    avcodec_free_context(&media->decoder);
    avformat_close_input(&media->format);
    if (media->io)
        av_freep(&media->io->buffer); /* libavformat may have replaced the one that it was given */
    avio_context_free(&media->io);
    range_source_close(media->source);
}

int64_t media_size(const media_file *media)
{
    return range_source_size(media->source);
}

double media_duration_s(const media_file *media)
{
    return media->duration_s;
}

/* One media_read under way. */
typedef struct media_reading {
    media_file *media;
    double from_s;
    int64_t wanted;        /* samples of the file's own rate; INT64_MAX: to the end */
    int64_t taken;         /* of them */
    bool began;            /* the first frame that counts was met */
    SwrContext *resampler; /* owned; NULL until the first frame tells the file's format */
    int16_t *samples;      /* owned, by malloc: it grows */
    size_t count, capacity;
} media_reading;

static chains_status reserve(media_reading *reading, size_t more)
{
    size_t limit = (size_t)MEDIA_MAX_READ_S * MEDIA_SAMPLES_PER_S;
    if (more > limit - reading->count)
        return chains_fail(reading->media->ctx, CHAINS_INVALID_ARGUMENT,
                           "%s: a part of more than %d s", reading->media->url, MEDIA_MAX_READ_S);
    if (reading->count + more <= reading->capacity)
        return CHAINS_OK;
    size_t capacity = 2 * (reading->count + more);
    int16_t *samples = realloc(reading->samples, capacity * sizeof *samples);
    if (!samples)
        return fail(reading->media, CHAINS_RESOURCE_EXHAUSTED, "not read", AVERROR(ENOMEM));
    reading->samples = samples;
    reading->capacity = capacity;
    return CHAINS_OK;
}

static chains_status open_resampler(media_reading *reading, const AVFrame *frame)
{
    AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO, layout = frame->ch_layout;
    int code = swr_alloc_set_opts2(&reading->resampler, &mono, AV_SAMPLE_FMT_S16,
                                   MEDIA_SAMPLES_PER_S, &layout, (enum AVSampleFormat)frame->format,
                                   frame->sample_rate, 0, NULL);
    if (code >= 0)
        code = swr_init(reading->resampler);
    if (code < 0)
        return fail(reading->media, CHAINS_INVALID_ARGUMENT, "its sound can't be converted", code);
    return CHAINS_OK;
}

/* Resamples count samples a channel; 0 and NULL: what the resampler still holds. */
static chains_status resample(media_reading *reading, const uint8_t **planes, int count)
{
    int room = swr_get_out_samples(reading->resampler, count);
    if (room < 0)
        return fail(reading->media, CHAINS_DATA_LOSS, "its sound can't be converted", room);
    CHAINS_TRY(reserve(reading, (size_t)room));
    uint8_t *out = (uint8_t *)(reading->samples + reading->count);
    int made = swr_convert(reading->resampler, &out, room, planes, count);
    if (made < 0)
        return fail(reading->media, CHAINS_DATA_LOSS, "its sound can't be converted", made);
    reading->count += (size_t)made;
    return CHAINS_OK;
}

static double frame_time_s(const media_file *media, const AVFrame *frame)
{
    int64_t stamp = frame->best_effort_timestamp;
    if (stamp == AV_NOPTS_VALUE)
        return -1;
    return (double)stamp * av_q2d(media->stream->time_base) - media->start_s;
}

/* Takes of one frame what is wanted of it. */
static chains_status take_frame(media_reading *reading, const AVFrame *frame)
{
    int64_t skip = 0;
    if (!reading->began) {
        double at_s = frame_time_s(reading->media, frame);
        if (at_s >= 0)
            skip = llround((reading->from_s - at_s) * frame->sample_rate);
        if (skip >= frame->nb_samples)
            return CHAINS_OK;
        reading->began = true;
        CHAINS_TRY(open_resampler(reading, frame));
        if (skip < 0) { /* the file has a gap here: keep its time */
            int64_t gap = llround((at_s - reading->from_s) * MEDIA_SAMPLES_PER_S);
            if (-skip >= reading->wanted) {
                reading->taken = reading->wanted;
                return CHAINS_OK;
            }
            CHAINS_TRY(reserve(reading, (size_t)gap));
            if (gap > 0)
                memset(reading->samples, 0, (size_t)gap * sizeof *reading->samples);
            reading->count = (size_t)gap;
            reading->taken = -skip;
            skip = 0;
        }
    }
    int64_t count = frame->nb_samples - skip;
    if (count > reading->wanted - reading->taken)
        count = reading->wanted - reading->taken;
    reading->taken += count;

    enum AVSampleFormat format = (enum AVSampleFormat)frame->format;
    int channels = frame->ch_layout.nb_channels;
    bool planar = av_sample_fmt_is_planar(format);
    int64_t unit = (int64_t)av_get_bytes_per_sample(format) * (planar ? 1 : channels);
    int plane_count = planar ? channels : 1;
    const uint8_t **planes =
        chains_alloc(reading->media->ctx, (size_t)plane_count * sizeof *planes);
    for (int i = 0; i < plane_count; i++)
        planes[i] = frame->extended_data[i] + skip * unit;
    return resample(reading, planes, (int)count);
}

/* Goes to where the reading begins, and has the bytes up to its end asked for at once. */
static chains_status begin(media_reading *reading, double to_s)
{
    media_file *media = reading->media;
    double warm_up_s = media->bytes_per_s ? 0 : WARM_UP_MS / 1000.0;
    double seek_s = reading->from_s > warm_up_s ? reading->from_s - warm_up_s : 0;
    int64_t stamp = llround((seek_s + media->start_s) / av_q2d(media->stream->time_base));
    int code = avformat_seek_file(media->format, media->stream->index, INT64_MIN, stamp, stamp, 0);
    if (code < 0)
        return fail(media, CHAINS_DATA_LOSS, "it can't be read from the middle", code);
    avcodec_flush_buffers(media->decoder);

    double length_s = (to_s < media->duration_s ? to_s : media->duration_s) - seek_s;
    if (length_s <= 0)
        range_source_plan(media->source, 0, INT64_MAX);
    else if (media->bytes_per_s) {
        int64_t bytes = (int64_t)ceil(length_s * (double)media->bytes_per_s) + WHOLE_PACKET;
        range_source_plan(media->source, bytes, avio_tell(media->io) + bytes);
    } else {
        double rate = (double)media_size(media) / media->duration_s;
        range_source_plan(media->source, (int64_t)ceil(length_s * rate), INT64_MAX);
    }
    return CHAINS_OK;
}

static bool is_done(const media_reading *reading)
{
    return reading->taken >= reading->wanted;
}

/* Takes the frames that the decoder has ready. */
static chains_status take_frames(media_reading *reading, AVFrame *frame, bool *ended)
{
    while (!is_done(reading)) {
        int code = avcodec_receive_frame(reading->media->decoder, frame);
        if (code == AVERROR_EOF)
            *ended = true;
        if (code == AVERROR_EOF || code == AVERROR(EAGAIN))
            return CHAINS_OK;
        if (code < 0)
            return fail(reading->media, CHAINS_DATA_LOSS, "its sound can't be decoded", code);
        chains_status status = take_frame(reading, frame);
        av_frame_unref(frame);
        CHAINS_TRY(status);
    }
    return CHAINS_OK;
}

static chains_status decode(media_reading *reading, AVPacket *packet, AVFrame *frame)
{
    media_file *media = reading->media;
    bool ended = false;
    int bad = 0;
    while (!ended && !is_done(reading)) {
        if (chains_cancelled(media->ctx))
            return chains_fail(media->ctx, CHAINS_CANCELLED, "nobody waits for %s any more",
                               media->url);
        int code = av_read_frame(media->format, packet);
        if (range_source_status(media->source) != CHAINS_OK)
            return range_source_status(media->source);
        if (code < 0 && code != AVERROR_EOF)
            return fail(media, CHAINS_DATA_LOSS, "it can't be read on", code);
        bool at_end = code == AVERROR_EOF;
        if (!at_end && packet->stream_index != media->stream->index) {
            av_packet_unref(packet);
            continue;
        }
        code = avcodec_send_packet(media->decoder, at_end ? NULL : packet);
        av_packet_unref(packet);
        if (code < 0 && ++bad > BAD_PACKETS)
            return fail(media, CHAINS_DATA_LOSS, "its sound can't be decoded", code);
        if (code >= 0)
            bad = 0;
        CHAINS_TRY(take_frames(reading, frame, &ended));
    }
    return reading->resampler ? resample(reading, NULL, 0) : CHAINS_OK;
}

chains_status media_read(media_file *media, double from_s, double to_s, chains_int16_list *samples)
{
    chains_ctx *ctx = media->ctx;
    int rate = media->decoder->sample_rate;
    media_reading reading = { .media = media, .from_s = from_s, .wanted = INT64_MAX };
    if (isfinite(to_s))
        reading.wanted = to_s > from_s ? llround((to_s - from_s) * rate) : 0;

    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    chains_status status =
        packet && frame ? begin(&reading, to_s)
                        : fail(media, CHAINS_RESOURCE_EXHAUSTED, "not read", AVERROR(ENOMEM));
    if (status == CHAINS_OK)
        status = decode(&reading, packet, frame);
    av_packet_free(&packet);
    av_frame_free(&frame);
    swr_free(&reading.resampler);
    if (status == CHAINS_OK) {
        *samples = chains_int16_list_new(ctx, reading.count);
        if (reading.count)
            memcpy(samples->items, reading.samples, reading.count * sizeof *samples->items);
    }
    free(reading.samples);
    return status;
}
