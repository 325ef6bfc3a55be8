import Foundation
import Testing

/// A PostgreSQL server of one test, behind a socket file only. It does not outlive the tests, however they end: a watcher waits for the
/// end of a pipe that this process holds, then stops the server and removes its directory.
final class PostgresServer: Sendable {
    let directory: String
    private let binaries: String
    private let input: FileHandle
    private let process: Process

    private static let script = """
        set -eu
        dir=$1 bin=$2
        umask 077
        cd "$dir"
        exec 3<&0 </dev/null
        setsid sh -c 'cat >/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null 2>&1; rm -rf "$2"' \\
            sh "$bin" "$dir" <&3 >/dev/null 2>&1 &
        exec 3<&-
        export HOME="$dir" LC_ALL=C.UTF-8
        "$bin/initdb" -D data -U admin -A trust --no-sync -E UTF8 >init.log 2>&1
        cat >>data/postgresql.conf <<-END
        	listen_addresses = ''
        	unix_socket_directories = '$dir'
        	unix_socket_permissions = 0777
        	fsync = off
        	max_connections = 30
        END
        "$bin/pg_ctl" -D data -w -l log start >start.log 2>&1
        chmod 711 "$dir"
        psql -h "$dir" -U admin -d postgres -qc "CREATE ROLE ada LOGIN; CREATE ROLE bob LOGIN; GRANT ada TO bob"
        psql -h "$dir" -U admin -d postgres -qc "GRANT CREATE ON SCHEMA public TO PUBLIC"
        echo ready
        """

    /// Starts one.
    init() async throws {
        let root = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).compactMap { Int($0) }
        let newest = try #require(versions.max(), "no PostgreSQL server in \(root): apt-get install postgresql")
        binaries = "\(root)/\(newest)/bin"
        directory = "/tmp/plue-e2e-pg-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        let (pipe, output) = (Pipe(), Pipe())
        process = Process()
        input = pipe.fileHandleForWriting
        let command = ["sh", "-c", Self.script, "sh", directory, binaries]
        // PostgreSQL refuses to be root.
        if geteuid() == 0 { chown(directory, Self.nobody, Self.nobody) }
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = Self.user + command
        process.standardInput = pipe
        process.standardOutput = output
        try process.run()
        let isReady = await withCheckedContinuation { done in
            Thread { done.resume(returning: output.fileHandleForReading.readDataToEndOfFile() == Data("ready\n".utf8)) }.start()
        }
        try #require(isReady, "PostgreSQL did not start: see \(directory)")
    }

    private static let nobody: UInt32 = 65_534
    private static let user = geteuid() == 0 ? ["setpriv", "--reuid=\(nobody)", "--regid=\(nobody)", "--clear-groups"] : []

    /// Stops or starts it.
    func control(_ action: String, in scratch: Scratch) async throws {
        // The server outlives the command; with a descriptor of it, it would be waited for.
        let alone = ["python3", "-c", "'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))'"]
        let command =
            Self.user + alone + ["\(binaries)/pg_ctl", "-D", "\(directory)/data", "-w", "-m", "fast", "-l", "\(directory)/log", action]
        let result = try await scratch.run("cd / && exec \(command.joined(separator: " ")) >/dev/null 2>&1")
        #expect(result.code == 0, "\(action): \(result.output)")
    }

    deinit { try? input.close() }

    var url: String { "postgres:///postgres?host=\(directory)" }

    /// Runs statements as the administrator, with a client that nobody here wrote.
    func psql(_ statement: String, in scratch: Scratch) async throws -> [String] {
        let result = try await scratch.run("psql -h \(directory) -U admin -d postgres -XAtq -v ON_ERROR_STOP=1 -c \"\(statement)\"")
        #expect(result.code == 0, "\(result.output)")
        return result.output.split(separator: "\n").map(String.init)
    }

    /// The server's processes for the connections of a role.
    func backends(of role: String, in scratch: Scratch) async throws -> Set<String> {
        Set(try await psql("SELECT pid FROM pg_stat_activity WHERE usename = '\(role)'", in: scratch))
    }
}
