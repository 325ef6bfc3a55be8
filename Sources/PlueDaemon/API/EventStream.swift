import HTTPTypes
import Hummingbird
import NIOCore
import PlueConfig

/// Commits as server-sent events: the state first, then each version as it becomes live.
enum EventStream {
    /// A reader that falls so far behind is cut; it comes back and starts from the state.
    private static let mostWaiting = 64

    static func response(of manager: ConfigManager<DaemonSettings>) -> Response {
        let (events, continuation) = AsyncStream.makeStream(of: ByteBuffer.self, bufferingPolicy: .bufferingOldest(mostWaiting))
        let observation = manager.observePublications { publication in
            if case .dropped = continuation.yield(event(publication)) { continuation.finish() }
        }
        // Without a beat a client that went away would only be noticed at the next commit. Ends with the stream.
        let beat = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(15))
                continuation.yield(ByteBuffer(string: ": still here\n\n"))
            }
        }
        continuation.onTermination = { _ in
            observation.cancel()
            beat.cancel()
        }
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"], body: ResponseBody(asyncSequence: events))
    }

    private static func event(_ publication: Publication<DaemonSettings>) -> ByteBuffer {
        let json: JSONValue = [
            "version": .integer(publication.new.version), "environment": .string(publication.new.environment.rawValue),
            "changed": .array(publication.changedKeys.map { .string($0.description) }), "digest": .string(publication.new.digest),
        ]
        let name = publication.old == nil ? "state" : "version"
        return ByteBuffer(string: "id: \(publication.new.version)\nevent: \(name)\ndata: \(json.text())\n\n")
    }
}
