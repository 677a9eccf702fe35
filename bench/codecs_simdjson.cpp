/* simdjson as its documentation recommends it: one parser for all texts, texts in padded memory, on
 * demand with fields looked for in the order in which they come, strings as views (unescaped, without
 * a NUL). Its library picks the instructions of the machine by itself, but on demand is inlined here, so
 * that this file alone is compiled for the machine it runs on. Nothing is checked beyond what simdjson
 * does: neither required keys nor repeated ones. */
#include "codecs_simdjson.h"

#include <simdjson.h>
#include <string_view>
#include <vector>

namespace
{
namespace ondemand = simdjson::ondemand;

struct typed_place {
    int64_t id;
    std::string_view name, city, text;
    int32_t visits;
    bool open;
    double latitude, longitude, score;
};

struct typed_document {
    std::string_view title;
    std::vector<typed_place> items;
};

struct typed_message {
    std::string_view text;
    int64_t number;
    double weight;
};

/* What values are made into where nobody keeps them, so that taking them isn't left out. */
struct totals {
    uint64_t bytes = 0, integers = 0, truths = 0;
    double numbers = 0;
};

void visit(ondemand::value value, totals &sum)
{
    switch (value.type()) {
    case ondemand::json_type::object:
        for (auto field : value.get_object()) {
            sum.bytes += std::string_view(field.unescaped_key()).size();
            visit(field.value(), sum);
        }
        break;
    case ondemand::json_type::array:
        for (auto item : value.get_array())
            visit(item.value(), sum);
        break;
    case ondemand::json_type::string:
        sum.bytes += std::string_view(value.get_string()).size();
        break;
    case ondemand::json_type::number: {
        ondemand::number number = value.get_number();
        if (number.is_double())
            sum.numbers += number.get_double();
        else if (number.is_int64())
            sum.integers += static_cast<uint64_t>(number.get_int64());
        else
            sum.integers += number.get_uint64();
        break;
    }
    case ondemand::json_type::boolean:
        sum.truths += bool(value.get_bool());
        break;
    case ondemand::json_type::null:
        break;
    }
}

void fill(ondemand::object object, typed_place &place)
{
    place.id = object.find_field("id").get_int64();
    place.name = object.find_field("name").get_string();
    place.city = object.find_field("city").get_string();
    place.text = object.find_field("text").get_string();
    place.visits = static_cast<int32_t>(int64_t(object.find_field("visits").get_int64()));
    place.open = object.find_field("open").get_bool();
    place.latitude = object.find_field("latitude").get_double();
    place.longitude = object.find_field("longitude").get_double();
    place.score = object.find_field("score").get_double();
}
} // namespace

struct codecs_simdjson {
    codecs_shape shape;
    simdjson::padded_string text;
    simdjson::dom::parser dom, kept; /* kept: owns the tree that is encoded */
    simdjson::dom::element tree;
    ondemand::parser ondemand;
    totals sum;
    typed_document document;
    std::vector<double> doubles;
    typed_message message;
    simdjson::internal::string_builder<> encoded;

    codecs_simdjson(const char *json, size_t size, codecs_shape shape_)
        : shape(shape_), text(json, size), tree(kept.parse(text))
    {
    }
};

codecs_simdjson *codecs_simdjson_new(const char *json, size_t size, codecs_shape shape)
{
    try {
        return new codecs_simdjson(json, size, shape);
    } catch (const simdjson::simdjson_error &) {
        return nullptr;
    }
}

void codecs_simdjson_free(codecs_simdjson *peer)
{
    delete peer;
}

bool codecs_simdjson_dom(codecs_simdjson *peer)
{
    return peer->dom.parse(peer->text).error() == simdjson::SUCCESS;
}

bool codecs_simdjson_visit(codecs_simdjson *peer)
{
    try {
        ondemand::document text = peer->ondemand.iterate(peer->text);
        ondemand::value root = text;
        visit(root, peer->sum);
        return true;
    } catch (const simdjson::simdjson_error &) {
        return false;
    }
}

bool codecs_simdjson_typed(codecs_simdjson *peer)
{
    try {
        ondemand::document text = peer->ondemand.iterate(peer->text);
        if (peer->shape == CODECS_DOUBLES) {
            peer->doubles.clear();
            for (double number : text.get_array())
                peer->doubles.push_back(number);
            return true;
        }
        ondemand::object root = text.get_object();
        if (peer->shape == CODECS_MESSAGE) {
            peer->message.text = root.find_field("text").get_string();
            peer->message.number = root.find_field("number").get_int64();
            peer->message.weight = root.find_field("weight").get_double();
            return true;
        }
        peer->document.title = root.find_field("title").get_string();
        peer->document.items.clear();
        for (auto item : root.find_field("items").get_array()) {
            peer->document.items.emplace_back();
            fill(item.get_object(), peer->document.items.back());
        }
        return true;
    } catch (const simdjson::simdjson_error &) {
        return false;
    }
}

size_t codecs_simdjson_encode(codecs_simdjson *peer)
{
    peer->encoded.clear();
    peer->encoded.append(peer->tree);
    return peer->encoded.str().size();
}
