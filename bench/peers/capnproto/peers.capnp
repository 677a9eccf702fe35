# The chain's interface. Entry and worker serve the same one; a worker doesn't fan out.
@0xc0f1a6f1d5a2b7e3;

interface Chain {
    echo @0 (text :Text) -> (text :Text);
    bytes @1 (data :Data) -> (sample :Data);
    numbers @2 (values :List(Float64)) -> (sum :Float64);
    fan @3 (text :Text, count :Int32) -> (matched :Int32);
}
