// What two Chainlets share without knowing: templates, inline variables, and exceptions.
#pragma once
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

struct refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline int calls = 0; // unique in a program of one Chainlet

template <typename T> class pile
{
  public:
    void put(const T &item)
    {
        if (items.size() >= limit)
            throw refused("the pile is full");
        items.push_back(item);
    }
    size_t size() const
    {
        return items.size();
    }
    static int &puts()
    {
        static int count = 0;
        return count;
    }

  private:
    static constexpr size_t limit = 3;
    std::vector<T> items;
};

template <typename T> int fill(pile<T> &into, const T &item, int count)
{
    int put = 0;
    try {
        for (; put < count; put++) {
            into.put(item);
            ++pile<T>::puts();
        }
    } catch (const refused &) {
        return -put;
    }
    return put;
}
