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

@Suite("nginx", .timeLimit(.minutes(2)))
struct NginxTests {
    private static let template = """
        worker_processes 1;
        pid {{nginx.directory}}/nginx.pid;
        error_log {{nginx.directory}}/error.log;
        events { worker_connections 64; }
        http {
            access_log off;
            client_body_temp_path {{nginx.directory}}/t1;
            proxy_temp_path {{nginx.directory}}/t2;
            fastcgi_temp_path {{nginx.directory}}/t3;
            uwsgi_temp_path {{nginx.directory}}/t4;
            scgi_temp_path {{nginx.directory}}/t5;
            server {
                listen 127.0.0.1:{{web.port}};
                server_name{{#web.names}} {{.}}{{/web.names}};
                default_type text/plain;
                location / { return 200 "{{web.greeting}}"; }
                location = /slow { limit_rate 2000; root {{nginx.directory}}; try_files /large =404; }
            }
        }

        """

    private func settings(_ scratch: Scratch, _ port: Int, _ greeting: String = "hello") -> ExternalDaemon.Settings {
        let (output, prefix) = (scratch["nginx.conf"], scratch.path.string)
        var settings = ExternalDaemon.Settings(template: scratch["template"], output: output)
        settings.check = ["nginx", "-t", "-q", "-p", prefix, "-c", "{file}"]
        settings.reload = ["nginx", "-p", prefix, "-c", "{output}", "-s", "reload"]
        settings.start = ["nginx", "-p", prefix, "-c", "{output}"]
        settings.probe = .tcp(.loopback(port))
        settings.pidFile = scratch["nginx.pid"]
        settings.timeouts.check = .seconds(30)
        settings.timeouts.reload = .seconds(30)
        settings.timeouts.start = .seconds(30)
        settings.timeouts.probe = .seconds(30)
        settings.values = TemplateValues([
            "nginx.directory": .string(prefix), "web.port": .integer(port), "web.greeting": .string(greeting),
            "web.names": .list([.string("a.example"), .string("b.example")]),
        ])
        return settings
    }

    /// Runs the body, and ends nginx afterwards.
    private func withNginx(_ body: (Scratch) async throws -> Void) async throws {
        try await Scratch.run { scratch in
            try scratch.write("template", Self.template)
            try scratch.write("large", String(repeating: "x", count: 8_000))
            chmod(scratch.path.string, 0o755)
            let result: Result<Void, any Error>
            do { result = .success(try await body(scratch)) } catch { result = .failure(error) }
            if let pid = (try? scratch.read("nginx.pid")).flatMap({ pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) {
                kill(pid, SIGTERM)
                // It removes its files as it goes, which the scratch directory's removal would meet.
                try await eventually("nginx has ended") { (try? scratch.read("nginx.pid")) == nil }
            }
            try result.get()
        }
    }

    private func get(_ port: Int, _ path: String = "/") async throws -> String {
        let result = try await Subprocess.run(
            .name("curl"), arguments: ["--silent", "--max-time", "30", "http://127.0.0.1:\(port)\(path)"], output: .string(limit: 100_000))
        return result.terminationStatus.isSuccess ? result.standardOutput : "\(result.terminationStatus)"
    }

    @Test("is started, follows its text and its port, and a download goes on meanwhile")
    func follows() async throws {
        try await withNginx { scratch in
            try await Stage.run { stage in
                let (port, moved) = (try freePort(), try freePort())
                try await stage.go(settings(scratch, port))
                #expect(try await get(port) == "hello")

                async let download = get(port, "/slow")
                try await stage.go(settings(scratch, port, "again"))
                try await eventually("the new text") { try await get(port) == "again" }
                try await stage.go(settings(scratch, moved, "again"))
                #expect(try await get(moved) == "again")
                try await eventually("the old port is closed") { try await greeting(of: port) == nil }
                #expect(try await download.count == 8_000)
                try await stage.drained()
                #expect(try scratch.hidden == [])
            }
        }
    }

    @Test("refuses a bad file with the line that nginx names, and goes on")
    func badFile() async throws {
        try await withNginx { scratch in
            try await Stage.run { stage in
                let port = try freePort()
                try await stage.go(settings(scratch, port))
                let refusal = await stage.commit(settings(scratch, port, #"a" b"#)).refusal
                #expect(refusal?.hasPrefix("daemon: check (nginx) exited with status 1: ") == true)
                #expect(refusal?.contains(".nginx.conf.plue-next-") == true && refusal?.contains(":16") == true, "\(refusal ?? "")")
                #expect(try await get(port) == "hello")
            }
        }
    }

    @Test("with a port that another program has is refused, which `nginx -t` and `nginx -s reload` do not notice")
    func portTaken() async throws {
        try await withNginx { scratch in
            try await Stage.run { stage in
                let (port, squatter) = (try freePort(), try Squatter(port: try freePort()))
                try await stage.go(settings(scratch, port))
                let refusal = await stage.commit(settings(scratch, squatter.port)).refusal
                #expect(refusal == "daemon: port \(squatter.port) is already in use on 127.0.0.1 by another program")
                // Were it not for that, the look from outside would find out.
                var blind = settings(scratch, squatter.port)
                blind.addresses = []
                blind.probe = .tcp(.loopback(try freePort()))
                blind.timeouts.probe = .milliseconds(500)
                #expect(await stage.commit(blind).refusal?.hasSuffix("does not take connections: Connection refused") == true)
                #expect(try scratch.read("nginx.conf").contains("listen 127.0.0.1:\(port);"))
                #expect(try await get(port) == "hello")
            }
        }
    }

    @Test("reloads that follow each other at once all arrive, through the pause that nginx makes after each")
    func storm() async throws {
        try await withNginx { scratch in
            try await Stage.run { stage in
                var port = try freePort()
                try await stage.go(settings(scratch, port))
                for number in 0..<6 {
                    port = try freePort()
                    var settings = settings(scratch, port, "number \(number)")
                    settings.timeouts.settling = .zero
                    try await stage.go(settings)
                    #expect(try await get(port) == "number \(number)")
                }
            }
        }
    }
}
