# Two Chainlets with two versions of one static library in one process, C and C++ (whose ready-made archive has unique symbols).
. "$(dirname "$0")/support.sh"

archives() { # COMPILER SUFFIX
    for version in old new; do
        "$1" -O2 -fPIC -c "$version/shape.$2" -o "$version/shape.o"
        rm -f "$version/libshape.a"
        ar rc "$version/libshape.a" "$version/shape.o"
    done
}

take versions
archives cc c
expect '{"old_area":1009,"new_area":2018}' "$chains" run --input '{"side": 3}'

# The same from C++ with an inline variable and a static in an inline function: GNU's unique symbols, of one name for a whole
# process unless they are hidden.
for version in old new; do
    number=1
    [ "$version" = old ] || number=2
    cat >"$version/shape.cpp" <<END
inline int shape_number = $number;
template <typename T> T &area_factor() { static T factor = $number; return factor; }
extern "C" int shape_area(int side) { return shape_number * 1000 + side * side * area_factor<int>(); }
END
done
archives c++ cpp
nm old/libshape.a | grep -q ' u ' || fail 'the archive has no unique symbols, so nothing is tested'
expect '{"old_area":1009,"new_area":2018}' "$chains" run --input '{"side": 3}'
# A changed library is linked anew.
sed -i 's/shape_number = 2/shape_number = 7/' new/shape.cpp
archives c++ cpp
expect '{"old_area":1009,"new_area":7018}' "$chains" run --input '{"side": 3}'
finish
