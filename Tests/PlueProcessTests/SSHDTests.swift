import Foundation
import PlueConfig
import PlueProcess
import Subprocess
import SystemPackage
import TestGround
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

@Suite("sshd", .timeLimit(.minutes(2)))
struct SSHDTests {
    private static let template = """
        Port {{ssh.port}}
        ListenAddress 127.0.0.1
        HostKey {{sshd.directory}}/host
        PidFile {{sshd.directory}}/sshd.pid
        AuthorizedKeysFile {{sshd.directory}}/user.pub
        PubkeyAuthentication yes
        PermitRootLogin yes
        StrictModes no
        UsePAM no
        {{#ssh.more}}
        {{.}}
        {{/ssh.more}}

        """

    private func settings(_ scratch: Scratch, _ port: Int, more: String? = nil) -> ExternalDaemon.Settings {
        var settings = ExternalDaemon.Settings(template: scratch["template"], output: scratch["sshd_config"])
        settings.check = ["/usr/sbin/sshd", "-t", "-f", "{file}"]
        settings.reload = ["/bin/sh", scratch["reload.sh"].string]
        settings.start = ["/usr/sbin/sshd", "-f", "{output}", "-E", scratch["log"].string]
        settings.probe = .tcp(.loopback(port))
        settings.pidFile = scratch["sshd.pid"]
        settings.timeouts.check = .seconds(30)
        settings.timeouts.reload = .seconds(30)
        settings.timeouts.start = .seconds(30)
        settings.timeouts.probe = .seconds(30)
        settings.values = TemplateValues(
            ["sshd.directory": .string(scratch.path.string), "ssh.port": .integer(port)].merging(
                more.map { ["ssh.more": .string($0)] } ?? [:]
            ) { $1 }, unset: more == nil ? ["ssh.more"] : [])
        return settings
    }

    /// Runs the body with keys made, and ends sshd afterwards.
    private func withSSHD(_ body: (Scratch) async throws -> Void) async throws {
        // As the package's service does before it starts one as root.
        if geteuid() == 0 { mkdir("/run/sshd", 0o755) }
        try await Scratch.run { scratch in
            try scratch.write("template", Self.template)
            try scratch.write("reload.sh", "exec kill -HUP $(cat \(scratch["sshd.pid"]))\n")
            for name in ["host", "user"] {
                let result = try await Subprocess.run(
                    .name("ssh-keygen"), arguments: ["-q", "-t", "ed25519", "-N", "", "-f", scratch[name].string], output: .discarded)
                try #require(result.terminationStatus.isSuccess)
            }
            let result: Result<Void, any Error>
            do { result = .success(try await body(scratch)) } catch { result = .failure(error) }
            if let pid = pid(scratch) {
                kill(pid, SIGTERM)
                // It removes its file as it goes, which the scratch directory's removal would meet.
                try await eventually("sshd has ended") { self.pid(scratch) == nil }
            }
            try result.get()
        }
    }

    private func pid(_ scratch: Scratch) -> pid_t? {
        (try? scratch.read("sshd.pid")).flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    private func ssh(_ scratch: Scratch, _ port: Int, _ command: String) async throws -> String {
        let result = try await Subprocess.run(
            .name("ssh"),
            arguments: Arguments([
                "-F", "none", "-p", "\(port)", "-i", scratch["user"].string, "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "127.0.0.1", command,
            ]),
            output: .string(limit: 100_000), error: .combinedWithOutput)
        return result.standardOutput
    }

    @Test("moves to another port, and a session that was open goes on")
    func moves() async throws {
        try await withSSHD { scratch in
            try await Stage.run { stage in
                let (port, moved) = (try freePort(), try freePort())
                try await stage.go(settings(scratch, port))
                let (begun, done) = (scratch["begun"], scratch["done"])
                async let session = ssh(
                    scratch, port,
                    "touch \(begun); i=0; while [ ! -e \(done) ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done; echo ended well")
                try await eventually("the session is open") { FileManager.default.fileExists(atPath: begun.string) }

                try await stage.go(settings(scratch, moved))
                #expect(try await ssh(scratch, moved, "echo hello") == "hello\n")
                try await eventually("the old port is closed") { try await greeting(of: port) == nil }
                try scratch.write("done", "")
                #expect(try await session == "ended well\n")
                try await stage.drained()
                #expect(try scratch.hidden == [])
            }
        }
    }

    @Test("with a file that it does not understand is refused with its own words; SIGHUP would have ended it")
    func badFile() async throws {
        try await withSSHD { scratch in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(settings(scratch, port))
                let refusal = await stage.commit(settings(scratch, port, more: "NoSuchOption yes")).refusal
                #expect(refusal?.hasPrefix("daemon: check (sshd) exited with status 255: ") == true)
                #expect(refusal?.contains("Bad configuration option: NoSuchOption") == true, "\(refusal ?? "")")
                #expect(try await greeting(of: port)?.hasPrefix("SSH-2.0-") == true)
            }
        }
    }

    @Test("that is ended by its reload is brought up again with the former file")
    func revived() async throws {
        try await withSSHD { scratch in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(settings(scratch, port))
                let former = try scratch.read("sshd_config")
                let pid = pid(scratch)
                var deadly = settings(scratch, port, more: "NoSuchOption yes")
                // Nobody looks at the file before it is too late.
                deadly.check = []
                deadly.timeouts.settling = .seconds(5)
                deadly.timeouts.probe = .seconds(1)
                #expect(await stage.commit(deadly).refusal != nil)
                #expect(try scratch.read("sshd_config") == former)
                #expect(self.pid(scratch) != pid)
                #expect(try await ssh(scratch, port, "echo hello") == "hello\n")
            }
        }
    }
}
