// What the services and the client have in common: channels, serving an inherited socket, the worker's part.
#ifndef BENCH_PEERS_GRPC_WIRE_H
#define BENCH_PEERS_GRPC_WIRE_H

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "../payload.h"
#include "peers.grpc.pb.h"

// Messages of any size; all else is gRPC's default.
inline std::shared_ptr<grpc::Channel> channel_to(const char *path)
{
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    return grpc::CreateCustomChannel("unix:" + std::string(path),
                                     grpc::InsecureChannelCredentials(), arguments);
}

// Serves on the listening socket 3, for ever.
inline void serve(grpc::Service *service)
{
    grpc::ServerBuilder builder;
    builder.RegisterService(service);
    builder.SetMaxReceiveMessageSize(-1);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    for (;;) {
        int fd = accept4(3, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            grpc::AddInsecureChannelFromFd(server.get(), fd);
    }
}

inline void answer_bytes(const peers::Data &request, peers::Data *reply)
{
    const std::string &data = request.data();
    std::string *sample = reply->mutable_data();
    sample->resize((data.size() + PAYLOAD_PAGE_BYTES - 1) / PAYLOAD_PAGE_BYTES);
    payload_sample(data.data(), data.size(), reinterpret_cast<unsigned char *>(&(*sample)[0]));
}

inline void answer_numbers(const peers::Values &request, peers::Sum *reply)
{
    reply->set_sum(
        payload_sum(request.values().data(), static_cast<size_t>(request.values_size())));
}

#endif
