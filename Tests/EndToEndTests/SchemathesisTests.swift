import Foundation
import Testing

/// The running API against its own description, by a tester that knows nothing else of it.
///
/// schemathesis makes requests that fit `/openapi.json` and requests that do not, and holds every answer against it: statuses, headers,
/// bodies, methods, authentication, crashes. All its checks are on.
@Suite struct SchemathesisTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Schemathesis").path
    private static let program = URL(filePath: directory).appending(path: "../../../.build/schemathesis/bin/schemathesis").standardized.path

    private static func isInstalled() async throws -> Bool {
        try await Scratch().run("exec '\(directory)/install'", ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"])
            .code == 0
    }

    @Test(.enabled("schemathesis cannot be installed: pip does not reach PyPI", { try await isInstalled() }))
    func `schemathesis finds nothing, with all its checks on`() async throws {
        let daemon = try await RunningDaemon("[server]\nhost = 127.0.0.1\nport = 0\n[reload]\nwatch = off\n")
        let address = try #require(try await daemon.address())
        let created = try await daemon.plue("token create tester --role admin --format json")
        let token = try #require(
            (try JSONSerialization.jsonObject(with: Data(created.output.utf8)) as? [String: Any])?["token"] as? String, "\(created.output)")
        try daemon.scratch.write("Bearer \(token)", to: "authorization")
        // The pipe keeps the proxy's input open until all is done.
        let run = try await daemon.scratch.run(
            """
            mkfifo hold
            python3 '\(Self.directory)/proxy.py' \(address) < hold > port & exec 3> hold
            while ! test -s port; do sleep 0.05; done
            timeout 300 '\(Self.program)' --config-file '\(Self.directory)/schemathesis.toml' run "http://127.0.0.1:$(cat port)/openapi.json" \
                -H "Authorization: $(cat authorization)" --checks all --max-examples 25 --seed 1 --no-color
            """)
        #expect(run.code == 0, "\(run.output.suffix(6000))")
        #expect(run.output.contains("Fuzzing") && run.output.contains("Stateful"), "\(run.output.suffix(2000))")
        #expect(try await daemon.plue("status").code == 0, "\(daemon.log)")
        #expect(try await daemon.plue("audit verify").output.hasPrefix("intact: "))
    }
}
