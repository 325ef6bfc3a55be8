import Foundation
import TestGround
import Testing

/// Server-sent events, as `curl` receives them.
@Suite struct EventTests {
    private static let text = "[server]\nhost = 127.0.0.1\nport = 0\n"

    /// What a stream has brought so far, as `event id`.
    private func names(_ stream: String) -> [String] {
        stream.components(separatedBy: "\n\n").compactMap { event in
            let lines = event.split(separator: "\n")
            guard let name = lines.first(where: { $0.hasPrefix("event: ") })?.dropFirst(7) else { return nil }
            return String(name) + (lines.first { $0.hasPrefix("id: ") }.map { " " + $0.dropFirst(4) } ?? "")
        }
    }

    @Test func `The state comes first, then every version, refusal and wait as it happens, and the reason of the end`() async throws {
        let daemon = try await RunningDaemon(Self.text)
        async let listening = daemon.scratch.run(
            "curl -sSN -m 60 --unix-socket state/plue.sock http://plue/v1/events > events; grep -c '^event: end' events")
        func stream() -> String { (try? daemon.scratch.read("events")) ?? "" }
        try await eventually { stream().contains("event: state\n") }
        #expect(names(stream()) == ["state 1"])

        #expect(try await daemon.patch(#"{"server":{"max_connections":7}}"#, "?confirmWithin=60s").status == 200)
        try await eventually { stream().contains("awaiting-confirm") }
        #expect(try await daemon.call("POST", "/v1/confirm").status == 200)
        #expect(try await daemon.patch(#"{"server":{"port":99999}}"#).status == 422)
        try daemon.edit(Self.text + "nonsense = 1\n")
        try await eventually { stream().contains("\"drift\":true") }
        try daemon.edit(Self.text + "max_connections = 7\n")
        try await eventually { stream().components(separatedBy: "event: state").last?.contains("\"drift\":false") == true }

        let told = names(stream())
        #expect(told.filter { $0.hasPrefix("version") } == ["version 2"])
        #expect(told.filter { $0 == "confirm" }.count == 2 && told.filter { $0 == "attempt" }.count == 2, "\(told)")
        #expect(stream().contains("server.port is 99999"))
        #expect(try await daemon.stop() == 0)
        #expect(try await listening.output == "1\n", "\(stream())")
    }

    @Test func `Who comes back is told the versions since, and who was away for too long how things stand`() async throws {
        let daemon = try await RunningDaemon(Self.text)
        for number in 2...5 { #expect(try await daemon.patch("{\"server\":{\"max_connections\":\(1000 + number)}}").status == 200) }
        func resume(_ last: String) async throws -> [String] {
            names(
                try await daemon.scratch.run(
                    "curl -sSN -m 2 --unix-socket state/plue.sock -H 'last-event-id: \(last)' http://plue/v1/events 2> /dev/null"
                ).output)
        }
        // On a busy machine two seconds may end before the answer does.
        try await eventually { try await resume("2") == ["version 3", "version 4", "version 5", "state 5"] }
        for last in ["5", "99", "0", "x"] { try await eventually { try await resume(last) == ["state 5"] } }
        #expect(try await daemon.stop() == 0)
    }

    @Test func `A hundred streams miss nothing between the state they begin with and what follows`() async throws {
        let daemon = try await RunningDaemon(Self.text)
        // Streams begin while versions are made, so that beginnings fall anywhere between them.
        async let heard = daemon.scratch.run(
            """
            python3 -c 'import socket, json, selectors, time
            streams, poll, deadline = {}, selectors.DefaultSelector(), time.time() + 60
            def begin():
                s = socket.socket(socket.AF_UNIX); s.connect("state/plue.sock")
                s.sendall(b"GET /v1/events HTTP/1.1\\r\\nHost: plue\\r\\n\\r\\n"); s.setblocking(False)
                streams[s] = b""; poll.register(s, selectors.EVENT_READ)
            def versions(text): return [json.loads(l[6:])["version"] for e in text.decode().split("\\n\\n") for l in e.split("\\n") if l.startswith("data: ") and ("event: version" in e or "event: state" in e)]
            while time.time() < deadline:
                if len(streams) < 100: begin()
                for key, _ in poll.select(0.01): streams[key.fileobj] += key.fileobj.recv(65536)
                if len(streams) == 100 and all(b"data: {\\"version\\":21," in t for t in streams.values()): break
            for text in streams.values():
                seen = versions(text)
                steps = [b - a for a, b in zip(seen, seen[1:])]
                assert seen[-1] == 21 and all(s in (0, 1) for s in steps), seen
            print(len(streams))'
            """)
        for number in 2...21 { #expect(try await daemon.patch("{\"server\":{\"max_connections\":\(1000 + number)}}").status == 200) }
        let result = try await heard
        #expect(result.output == "100\n", "\(result.output.suffix(2000))")
        #expect(try await daemon.stop() == 0)
    }
}
