/* X.509 by OpenSSL. Names of authorities differ from each other, so that while two of a chain are trusted each
 * certificate leads to one of them. */
#include "control/authority.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SERIAL_BYTES = 16,
    NAME_BYTES = 8, /* random ones in the name of an authority */
    MOST_NAME = 64, /* of a part of a subject; RFC 5280 */
    VERSION_3 = 2,  /* as X.509 counts */
};

/* Pairs */

void chainsi_pair_done(chainsi_pair *pair)
{
    if (pair->key)
        OPENSSL_cleanse(pair->key, strlen(pair->key));
    free(pair->certificate);
    free(pair->key);
    *pair = (chainsi_pair){ 0 };
}

static char *copy(const char *text)
{
    char *copied = text ? strdup(text) : NULL;
    if (text && !copied)
        abort();
    return copied;
}

chainsi_pair chainsi_pair_copy(const chainsi_pair *pair)
{
    return (chainsi_pair){ copy(pair->certificate), copy(pair->key) };
}

/* Texts */

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *text, int size, int writing, void *user)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static X509 *read_certificate(const char *text)
{
    BIO *bio = text ? BIO_new_mem_buf(text, -1) : NULL;
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return certificate;
}

static EVP_PKEY *read_key(const char *text)
{
    BIO *bio = text ? BIO_new_mem_buf(text, -1) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

/* The text of a BIO in memory, which is freed. */
static char *take_text(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)size);
    BIO_free(bio);
    if (!text)
        abort();
    return text;
}

static bool write_pair(X509 *certificate, EVP_PKEY *key, chainsi_pair *pair)
{
    BIO *texts[] = { BIO_new(BIO_s_mem()), BIO_new(BIO_s_secmem()) };
    bool good = texts[0] && texts[1] && PEM_write_bio_X509(texts[0], certificate) &&
                PEM_write_bio_PrivateKey(texts[1], key, NULL, NULL, 0, NULL, NULL);
    if (good) {
        *pair = (chainsi_pair){ take_text(texts[0]), take_text(texts[1]) };
    } else {
        BIO_free(texts[0]);
        BIO_free(texts[1]);
    }
    return good;
}

bool chainsi_pair_is_good(const chainsi_pair *pair)
{
    X509 *certificate = read_certificate(pair->certificate);
    EVP_PKEY *key = read_key(pair->key);
    bool good = certificate && key && X509_check_private_key(certificate, key) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

/* Making one */

static bool add_extension(X509 *certificate, X509 *issuer, int what, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
    bool added = extension && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static bool add_names(X509 *certificate, const char *const *names, size_t count)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    bool added = list != NULL;
    for (size_t i = 0; added && i < count; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        added = name && text && ASN1_STRING_set(text, names[i], (int)strlen(names[i]));
        if (added) {
            GENERAL_NAME_set0_value(name, GEN_DNS, text);
            added = sk_GENERAL_NAME_push(list, name) > 0;
        } else {
            ASN1_IA5STRING_free(text);
        }
        if (!added)
            GENERAL_NAME_free(name);
    }
    added = added && X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, 0) == 1;
    GENERAL_NAMES_free(list);
    return added;
}

static bool add_part(X509_NAME *name, const char *what, const char *text)
{
    size_t size = strnlen(text, MOST_NAME);
    return X509_NAME_add_entry_by_txt(name, what, MBSTRING_UTF8, (const unsigned char *)text,
                                      (int)size, -1, 0) == 1;
}

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always as long */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

/* A certificate that lacks names, extensions and its signature. */
static X509 *begin(EVP_PKEY *key, int64_t from_s, int64_t until_s)
{
    X509 *made = key ? X509_new() : NULL;
    if (made && X509_set_version(made, VERSION_3) && set_serial(made) &&
        ASN1_TIME_set(X509_getm_notBefore(made), (time_t)from_s) &&
        ASN1_TIME_set(X509_getm_notAfter(made), (time_t)until_s) && X509_set_pubkey(made, key))
        return made;
    X509_free(made);
    return NULL;
}

static bool name_authority(X509 *made, const char *chain)
{
    unsigned char bytes[NAME_BYTES];
    char text[MOST_NAME];
    X509_NAME *name = X509_get_subject_name(made);
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    int at = snprintf(text, sizeof text, "authority ");
    for (size_t i = 0; i < sizeof bytes; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%02x", bytes[i]);
    return add_part(name, "O", chain) && add_part(name, "CN", text) &&
           X509_set_issuer_name(made, name);
}

bool chainsi_authority_make(const char *chain, int64_t now_s, int64_t life_s,
                            chainsi_pair *authority)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *made = begin(key, now_s - CHAINSI_CERTIFICATE_SKEW_S, now_s + life_s);
    bool good = made && name_authority(made, chain) &&
                add_extension(made, made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                add_extension(made, made, NID_key_usage, "critical,keyCertSign,cRLSign") &&
                add_extension(made, made, NID_subject_key_identifier, "hash") &&
                X509_sign(made, key, EVP_sha256()) > 0 && write_pair(made, key, authority);
    X509_free(made);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    int days, seconds;
    ASN1_TIME *start = ASN1_TIME_set(NULL, 0);
    bool good = start && ASN1_TIME_diff(&days, &seconds, start, time);
    ASN1_TIME_free(start);
    return good ? (int64_t)days * 86400 + seconds : 0;
}

static bool sign(X509 *made, X509 *issuer, EVP_PKEY *issuer_key, const char *const *names,
                 size_t count)
{
    return add_part(X509_get_subject_name(made), "CN", names[0]) &&
           X509_set_issuer_name(made, X509_get_subject_name(issuer)) &&
           add_extension(made, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(made, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(made, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(made, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(made, issuer, NID_authority_key_identifier, "keyid") &&
           add_names(made, names, count) && X509_sign(made, issuer_key, EVP_sha256()) > 0;
}

bool chainsi_authority_issue(const chainsi_pair *authority, const char *const *names,
                             size_t name_count, int64_t now_s, int64_t life_s, chainsi_pair *issued)
{
    X509 *issuer = read_certificate(authority->certificate), *made = NULL;
    EVP_PKEY *issuer_key = read_key(authority->key), *key = NULL;
    bool good =
        name_count && issuer && issuer_key && X509_check_private_key(issuer, issuer_key) == 1;
    if (good) {
        int64_t last_s = seconds_of(X509_get0_notAfter(issuer));
        key = EVP_EC_gen("P-256");
        made = begin(key, now_s - CHAINSI_CERTIFICATE_SKEW_S,
                     now_s + life_s < last_s ? now_s + life_s : last_s);
        good = made && sign(made, issuer, issuer_key, names, name_count) &&
               write_pair(made, key, issued);
    }
    X509_free(made);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    ERR_clear_error();
    return good;
}

/* Asking about one */

static bool has_names(const X509 *certificate, const char *const *names, size_t count)
{
    GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool same = list && (size_t)sk_GENERAL_NAME_num(list) == count;
    for (size_t i = 0; same && i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, (int)i);
        const ASN1_STRING *text = name->type == GEN_DNS ? name->d.dNSName : NULL;
        same = text && (size_t)ASN1_STRING_length(text) == strlen(names[i]) &&
               !memcmp(ASN1_STRING_get0_data(text), names[i], strlen(names[i]));
    }
    GENERAL_NAMES_free(list);
    return same;
}

bool chainsi_certificate_is_for(const char *certificate, const char *authority,
                                const char *const *names, size_t name_count)
{
    X509 *read = read_certificate(certificate), *issuer = read_certificate(authority);
    EVP_PKEY *key = issuer ? X509_get0_pubkey(issuer) : NULL;
    bool good = read && key && X509_check_issued(issuer, read) == X509_V_OK &&
                X509_verify(read, key) == 1 && has_names(read, names, name_count);
    X509_free(read);
    X509_free(issuer);
    ERR_clear_error();
    return good;
}

bool chainsi_certificate_is_due(const char *certificate, int64_t now_s)
{
    X509 *read = read_certificate(certificate);
    if (!read)
        return true;
    int64_t from_s = seconds_of(X509_get0_notBefore(read));
    int64_t until_s = seconds_of(X509_get0_notAfter(read));
    X509_free(read);
    return now_s < from_s || now_s - from_s >= (until_s - from_s) / 3 * 2;
}

int64_t chainsi_certificate_end(const char *certificate)
{
    X509 *read = read_certificate(certificate);
    int64_t until_s = read ? seconds_of(X509_get0_notAfter(read)) : 0;
    X509_free(read);
    return until_s;
}

size_t chainsi_certificate_count(const char *bundle)
{
    BIO *bio = bundle ? BIO_new_mem_buf(bundle, -1) : NULL;
    size_t count = 0;
    for (X509 *read; bio && (read = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)); count++)
        X509_free(read);
    BIO_free(bio);
    ERR_clear_error();
    return count;
}
