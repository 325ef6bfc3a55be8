import Foundation
import TestGround
import Testing

/// Who may what, over real connections with a real client.
@Suite struct AccessTests {
    private static let schema =
        #"{"additionalProperties":false,"properties":{"app":{"properties":{"name":{"type":"string"},"other":{"type":"string"}}},"wide":{"properties":{"name":{"type":"string"}}}}}"#
    private static let text = "[server]\nhost = 127.0.0.1\nport = 0\n[app]\nname = x\n[wide]\nname = ${config:app.name}\n"

    private func daemon(_ text: String = Self.text) async throws -> RunningDaemon {
        let scratch = try Scratch()
        try scratch.write(Self.schema, to: "config/schema.json")
        return try await RunningDaemon(text, in: scratch)
    }

    // MARK: - Tokens

    @Test func `A stranger is told that the process answers, and nothing else, not even what there is`() async throws {
        let daemon = try await daemon()
        let address = try #require(try await daemon.address())
        for path in ["healthz", "readyz"] { #expect(try await daemon.http(address, "/" + path).status == 200) }
        for call in [
            "/v1/status", "/v1/config", "/v1/config/server/port", "/v1/events", "/v1/audit", "/v1/nothing", "/nothing", "/metrics",
            "-X PATCH /v1/config", "-X POST /v1/reload", "-X POST /v1/tokens", "/v1/tokens", "-X POST /v1/console-code", "/v1/session",
        ] {
            let parts = call.split(separator: " ").map(String.init)
            let answer = try await daemon.http(address, parts.last ?? "", parts.dropLast().joined(separator: " "))
            #expect(answer.status == 401, "\(call)")
            #expect(answer.headers["www-authenticate"] == "Bearer realm=\"plue\"", "\(call)")
            #expect(answer.value("status") as? Int == 401, "\(call)")
        }
        #expect(try await daemon.stop() == 0)
    }

    @Test func `A token opens what its role does, is shown once, and is kept as a hash`() async throws {
        let daemon = try await daemon()
        let address = try #require(try await daemon.address())
        var tokens: [String: String] = [:]
        for role in ["viewer", "operator", "admin"] {
            let made = try await daemon.plue("token create \(role)-1 --role \(role) --expires 1h --format json")
            let json = try #require(try JSONSerialization.jsonObject(with: Data(made.output.utf8)) as? [String: Any])
            #expect(json["name"] as? String == "\(role)-1")
            tokens[role] = try #require(json["token"] as? String)
            #expect(tokens[role]?.wholeMatch(of: /plue_[A-Za-z0-9_-]{48}/) != nil)
        }
        #expect(Set(tokens.values).count == 3)
        let calls: [(call: String, path: String, least: Int)] = [
            ("", "/v1/config", 0), ("", "/v1/status", 0), ("-X POST", "/v1/reload", 1), ("-X POST", "/v1/confirm", 1),
            ("", "/v1/tokens", 2), ("-X DELETE", "/v1/tokens/none", 2),
        ]
        for (rank, role) in ["viewer", "operator", "admin"].enumerated() {
            for call in calls {
                let answer = try await daemon.http(address, call.path, call.call, token: tokens[role])
                #expect((answer.status == 403) == (rank < call.least), "\(role) \(call.path): \(answer.status)")
                #expect(answer.status != 401)
            }
        }
        // One letter less, or another, opens nothing.
        let token = try #require(tokens["viewer"])
        for wrong in [String(token.dropLast()), token + "A", String(token.dropLast()) + (token.last == "A" ? "B" : "A"), "plue_", ""] {
            let answer = try await daemon.http(address, "/v1/config", token: wrong)
            #expect(answer.status == 401)
        }
        #expect(try await daemon.plue("token create viewer-1 --role viewer").code == 75)
        for wish in ["-x --role viewer", "x", "x --role root", "x --role viewer --sections nothing", "x --role viewer --expires soon"] {
            #expect(try await daemon.plue("token create \(wish)").code == 64, "\(wish)")
        }
        let list = try await daemon.plue("token list")
        #expect(list.output.contains("viewer-1") && !list.output.contains(token))

        #expect(try await daemon.stop() == 0)
        // When it was used is kept at the latest when the daemon ends; the commands do without one as well.
        let kept = try await daemon.plue("token list --format json").output
        let entries = try #require(
            (try JSONSerialization.jsonObject(with: Data(kept.utf8)) as? [String: Any])?["tokens"] as? [[String: Any]])
        #expect(entries.count == 3 && entries.allSatisfy { $0["lastUsed"] is String })
        #expect(try await daemon.plue("token revoke admin-1 --reason gone").code == 0)
        #expect(try await daemon.plue("token revoke admin-1").code == 1)
        #expect(try await daemon.plue("token create late --role admin").code == 0)
        for token in tokens.values { #expect(try await daemon.scratch.run("grep -rqF -- '\(token)' state log-*").code == 1) }
        #expect(try await daemon.plue("audit verify").code == 0)
        let log = try await daemon.plue("audit log --format json").output
        for action in ["token-created", "token-revoked", "denial", "failed-login"] { #expect(log.contains(action), "\(action)") }
    }

    @Test func `A token that is revoked or has expired counts no more, nor do the sessions and streams that it opened`() async throws {
        let daemon = try await daemon()
        let address = try #require(try await daemon.address())
        let token = try await daemon.token("short --role viewer")
        let ending = try await daemon.token("ending --role viewer --expires 3s")
        let signedIn = try await daemon.signIn(address, "{\"token\":\"\(token)\"}", jar: "jar")
        #expect(signedIn.status == 200)
        #expect(signedIn.value("actor") as? String == "token:short")
        #expect(try await daemon.http(address, "/v1/status", "-b jar").status == 200)
        async let stream = daemon.scratch.run(
            "curl -sS -N -m 60 -H 'authorization: Bearer \(token)' http://\(address)/v1/events > stream; echo ended")
        try await eventually { (try? daemon.scratch.read("stream").contains("event: state")) == true }

        #expect(try await daemon.plue("token revoke short").code == 0)
        #expect(try await daemon.http(address, "/v1/status", token: token).status == 401)
        #expect(try await daemon.http(address, "/v1/status", "-b jar").status == 401)
        // Well within the time that curl would wait.
        let revoked = ContinuousClock.now
        #expect(try await stream.output.contains("ended"))
        #expect(revoked.duration(to: .now) < .seconds(40))
        try await eventually { try await daemon.http(address, "/v1/status", token: ending).status == 401 }
        #expect(try await daemon.plue("token list").output.contains("expired"))
        #expect(try await daemon.stop() == 0)
    }

    @Test func `Failed logins are slowed down by address, keep no right token out, and fill no log`() async throws {
        let daemon = try await daemon()
        let address = try #require(try await daemon.address())
        let token = try await daemon.token("right --role viewer")
        let codes = try await daemon.scratch.run(
            "for i in $(seq 40); do curl -sS -o /dev/null -w '%{http_code}\\n' -H 'authorization: Bearer plue_wrong' http://\(address)/v1/status; done"
        ).output.split(separator: "\n")
        #expect(codes.prefix(10).allSatisfy { $0 == "401" })
        #expect(codes.filter { $0 == "429" }.count >= 25, "\(codes)")
        let refused = try await daemon.http(address, "/v1/status", token: "plue_wrong")
        #expect(refused.status == 429)
        #expect((refused.headers["retry-after"].flatMap { Int($0) } ?? 0) > 0)
        #expect(try await daemon.http(address, "/v1/status", "--interface 127.0.0.3", token: "plue_wrong").status == 401)
        #expect(try await daemon.http(address, "/v1/status", "--interface 127.0.0.3", token: token).status == 200)
        #expect(try await daemon.http(address, "/v1/status", token: token).status == 200)
        #expect(try await daemon.stop() == 0)
        let log = try await daemon.plue("audit log --format json").output
        #expect(log.components(separatedBy: "failed-login").count - 1 <= 6, "\(log)")
    }

    @Test func `A token that was slipped into the database, or came back after it was revoked, is found`() async throws {
        let daemon = try await daemon()
        _ = try await daemon.token("one --role viewer")
        #expect(try await daemon.stop() == 0)
        func tamper(_ sql: String) async throws -> (output: String, code: Int32) {
            try await daemon.scratch.run(
                """
                rm -rf copy; cp -r state copy
                python3 -c 'import sqlite3; c = sqlite3.connect("copy/plue.db"); c.execute("\(sql)"); c.commit()'
                plue audit verify --state-dir copy
                """)
        }
        #expect(try await tamper("UPDATE token SET used_at = 1.5").code == 0)
        let row = "SELECT \\\"two\\\", randomblob(32), \\\"admin\\\", NULL, made_by, made_at, NULL, NULL FROM token"
        for (sql, words) in [
            ("INSERT INTO token \(row)", "there is a token 'two' that no entry tells of"),
            ("UPDATE token SET role = \\\"admin\\\"", "the token 'one' is not what was written"),
            ("UPDATE token SET expires_at = 9e9", "the token 'one' is not what was written"),
            ("UPDATE token SET sha256 = randomblob(32)", "the token 'one' is not what was written"),
            ("DELETE FROM token", "the token 'one' is gone without being revoked"),
        ] {
            let found = try await tamper(sql)
            #expect(found.code == 2 && found.output.contains(words), "\(sql): \(found.output)")
        }
    }

    // MARK: - Sessions

    @Test func `A code from the socket signs one browser in, once, as whoever asked for it`() async throws {
        let daemon = try await daemon()
        let address = try #require(try await daemon.address())
        let url = try await daemon.plue("console").output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(url.hasPrefix("http://\(address)/#code="))
        let code = String(url.drop { $0 != "=" }.dropFirst())
        let answer = try await daemon.signIn(address, "{\"code\":\"\(code)\"}", jar: "jar")
        #expect(answer.status == 200)
        #expect(answer.value("actor") as? String == "unix:\(getuid())")
        #expect(answer.value("role") as? String == "admin")
        #expect(answer.value("expires") is String)
        let cookie = try #require(answer.headers["set-cookie"])
        #expect(cookie.hasPrefix("plue-session=") && cookie.contains("; Path=/") && cookie.contains("; HttpOnly"))
        #expect(cookie.contains("; SameSite=Strict") && !cookie.contains("Secure"))
        #expect(answer.headers["cache-control"] == "no-store")
        #expect(try await daemon.signIn(address, "{\"code\":\"\(code)\"}", jar: "second").status == 401)

        #expect(try await daemon.http(address, "/v1/session", "-b jar").value("role") as? String == "admin")
        // What changes something has to come from the console's own page, as browsers say it does.
        let reload = "-b jar -X POST"
        #expect(try await daemon.http(address, "/v1/reload", reload).status == 403)
        #expect(try await daemon.http(address, "/v1/reload", reload + " -H 'origin: http://\(address)'").status == 200)
        #expect(try await daemon.http(address, "/v1/reload", reload + " -H 'sec-fetch-site: same-origin'").status == 200)
        for header in [
            "origin: http://evil.example", "origin: null", "origin: http://127.0.0.1", "sec-fetch-site: same-site",
            "sec-fetch-site: cross-site",
        ] {
            #expect(try await daemon.http(address, "/v1/reload", reload + " -H '\(header)'").status == 403, "\(header)")
        }
        #expect(try await daemon.http(address, "/v1/config", "-b jar -H 'sec-fetch-site: cross-site'").status == 403)
        #expect(try await daemon.http(address, "/v1/console-code", reload + " -H 'origin: http://\(address)'").status == 403)
        #expect(try await daemon.http(address, "/v1/status", "-b jar -H 'host: evil.example'").status == 421)

        let out = try await daemon.http(address, "/v1/session", "-b jar -X DELETE -H 'origin: http://\(address)'")
        #expect(out.status == 204)
        #expect(out.headers["set-cookie"]?.contains("Max-Age=0") == true)
        #expect(try await daemon.http(address, "/v1/session", "-b jar").status == 401)
        for body in ["{}", "{\"token\":1}", "{\"token\":\"a\",\"code\":\"b\"}", "[]"] {
            #expect(try await daemon.signIn(address, body, jar: "none").status == 400, "\(body)")
        }
        #expect(try await daemon.stop() == 0)
        let log = try await daemon.plue("audit log --format json").output
        #expect(log.contains("sign-in") && !log.contains(code))
    }

    // MARK: - Sections

    @Test func `Who has one section sees and changes that one, and learns nothing of the others`() async throws {
        let daemon = try await daemon()
        let address = try #require(try await daemon.address())
        let token = try await daemon.token("app --role operator --sections app")
        func ask(_ path: String, _ arguments: String = "") async throws -> APIAnswer {
            try await daemon.http(address, path, arguments, token: token)
        }
        func patch(_ body: String, _ type: String = "application/merge-patch+json", _ path: String = "/v1/config") async throws -> APIAnswer
        {
            try daemon.scratch.write(body, to: "body")
            return try await ask(
                path, "-X \(path == "/v1/plan" ? "POST" : "PATCH") -H 'content-type: \(type)' -H 'if-match: *' --data-binary @body")
        }
        #expect(try await (ask("/v1/config").value("values") as? [String: Any])?.keys.sorted() == ["app"])
        #expect(try await ask("/v1/config/app/name").value("value") as? String == "x")
        #expect(try await ask("/v1/explain/app/name").status == 200)
        #expect(try await ask("/v1/status").status == 200)
        for path in ["/v1/config/server", "/v1/config/server/port", "/v1/config/nothing/here", "/v1/explain/server/port"] {
            #expect(try await ask(path).status == 403, "\(path)")
        }
        for (path, method) in [
            ("/v1/documents", "GET"), ("/v1/documents/development.ini", "GET"), ("/v1/versions", "GET"), ("/v1/audit", "GET"),
            ("/v1/events", "GET"), ("/v1/rollback", "POST"), ("/v1/reload", "POST"), ("/v1/proposals", "GET"),
        ] {
            #expect(try await ask(path, "-X \(method)").status == 403, "\(path)")
        }
        #expect(try await patch(#"{"app":{"other":"y"}}"#).value("changed") as? [String] == ["app.other"])
        // To name another section, even to say what is so already or to ask, is refused: the answer would tell.
        for body in [#"{"server":{"port":0}}"#, #"{"app":{"other":"z"},"server":{"port":1}}"#, #"{"wide":null}"#, #"{"server":{}}"#] {
            #expect(try await patch(body).status == 403, "\(body)")
            #expect(try await patch(body, "application/merge-patch+json", "/v1/plan").status == 403, "\(body)")
        }
        let edits = "application/vnd.plue.edits+json"
        for body in [
            #"{"edits":[{"set":"app.other","to":"${config:server.host}"}]}"#,
            #"{"edits":[{"set":"app.other","to":"${file:/etc/passwd}"}]}"#,
            #"{"edits":[{"set":"app.other","to":"a","in":"base.ini"}]}"#,
            #"{"edits":[{"replace":"development.ini","with":"[server]\nport = 0\n"}]}"#,
            #"{"edits":[{"removeSection":"server"}]}"#,
        ] {
            #expect(try await patch(body, edits).status == 403, "\(body)")
        }
        let patches = "application/json-patch+json"
        for right in [0, 1] {
            #expect(try await patch(#"[{"op":"test","path":"/server/port","value":\#(right)}]"#, patches).status == 409)
        }
        #expect(try await patch(#"[{"op":"copy","from":"/server/host","path":"/app/other"}]"#, patches).status == 409)
        #expect(try await patch(#"[{"op":"add","path":"/server","value":{"port":0}}]"#, patches).status == 403)
        #expect(try await patch(#"[{"op":"replace","path":"/app/other","value":"${HOME}"}]"#, patches).status == 200)
        #expect(try await ask("/v1/config/app/other").value("value") as? String == "${HOME}")
        // [wide] takes its value from here: it would change as well.
        #expect(try await patch(#"{"app":{"name":"y"}}"#).status == 403)
        #expect(try await patch(#"{"app":{"name":"y"}}"#, "application/merge-patch+json", "/v1/plan").status == 403)
        #expect(try await daemon.status()["version"] as? Int == 3)
        #expect(try await daemon.stop() == 0)
    }

    // MARK: - Bounds

    @Test func `Headers, bodies and slowness are bounded, for strangers and for those who are known`() async throws {
        let daemon = try await daemon(Self.text.replacing("port = 0\n", with: "port = 0\nidle_timeout = 1s\nrequest_timeout = 2s\n"))
        let address = try #require(try await daemon.address())
        let token = try await daemon.token("o --role operator")
        try daemon.scratch.write("x-large: " + String(repeating: "a", count: 80_000) + "\n", to: "one")
        try daemon.scratch.write((0..<90).map { "x-\($0): " + String(repeating: "a", count: 1000) + "\n" }.joined(), to: "many")
        for headers in ["one", "many"] {
            #expect(try await daemon.http(address, "/healthz", "-H @\(headers)").status == 431, "\(headers)")
        }
        try daemon.scratch.write(String(repeating: " ", count: 17 * 1_048_576), to: "large")
        let patch = "-X PATCH -H 'if-match: *' -H 'content-type: application/merge-patch+json' -H 'expect:' --data-binary @large"
        for how in ["", "-H 'transfer-encoding: chunked'"] {
            #expect(try await daemon.http(address, "/v1/config", "\(patch) \(how)", token: token).status == 413, "\(how)")
        }
        // Nothing is unpacked, so nothing that is small becomes large.
        let packed = "-X PATCH -H 'if-match: *' -H 'content-type: application/merge-patch+json' -H 'content-encoding: gzip' -d x"
        #expect(try await daemon.http(address, "/v1/config", packed, token: token).status == 415)

        // A request that does not come to its end, in its head and in its body; each is ended by the server.
        let slow = try await daemon.scratch.run(
            """
            python3 -c 'import socket, time
            for text in (b"GET /healthz HTTP/1.1\\r\\nhost: x\\r\\n",
                         b"PATCH /v1/config HTTP/1.1\\r\\nhost: 127.0.0.1\\r\\nauthorization: Bearer \(token)\\r\\nif-match: *\\r\\n"
                         b"content-type: application/merge-patch+json\\r\\ncontent-length: 100000\\r\\n\\r\\n"):
                s = socket.create_connection(tuple("\(address)".split(":")))
                s.sendall(text); s.settimeout(0.2); end = time.monotonic() + 40; over = False
                while time.monotonic() < end and not over:
                    try:
                        s.sendall(b"a"); over = s.recv(65536) == b""
                    except TimeoutError: pass
                    except OSError: over = True
                print("ended" if over else "open")'
            """)
        #expect(slow.output == "ended\nended\n", "\(slow.output)")
        #expect(try await daemon.http(address, "/healthz").status == 200)
        #expect(try await daemon.stop() == 0)
    }

    // MARK: - Certificates

    @Test func `A certificate of the right authority and name is as good as a token, for as long as the settings say so`() async throws {
        let scratch = try Scratch()
        try scratch.write(Self.schema, to: "config/schema.json")
        let make = try await scratch.run(
            """
            set -e
            req="openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
            for ca in ca otherca; do $req -x509 -subj /CN=$ca -keyout $ca.key -out $ca.pem; done
            issue() {
                $req -subj /O=test/CN=$1 -addext "subjectAltName=$2" -keyout $1.key -out $1.csr
                openssl x509 -req -copy_extensions copy -in $1.csr -CA $3.pem -CAkey $3.key -days 30 -out $1.pem
            }
            issue server IP:127.0.0.1 ca; issue ci DNS:ci.example.org ca; issue human email:ann@example.org ca
            issue spare URI:spiffe://x/y ca; issue forged DNS:ci.example.org otherca; chmod 600 *.key
            """)
        try #require(make.code == 0, "\(make.output)")
        let text =
            """
            [server]
            host = 127.0.0.1
            port = 0
            tls_certificate = \(scratch.path)/server.pem
            tls_private_key = \(scratch.path)/server.key
            tls_client_ca = \(scratch.path)/ca.pem
            [security.client.ci]
            certificate = ci.example.org
            role = operator
            [security.client.ann]
            certificate = CN=human
            sections = app

            """
        let daemon = try await RunningDaemon(text, in: scratch)
        let address = try #require(try await daemon.address())
        func ask(_ name: String?, _ path: String, _ arguments: String = "") async throws -> APIAnswer {
            let shown = name.map { "--cert \($0).pem --key \($0).key" } ?? ""
            return try await daemon.http(address, path, "--cacert ca.pem \(shown) \(arguments)", scheme: "https")
        }
        #expect(try await ask(nil, "/v1/status").status == 401)
        #expect(try await ask(nil, "/healthz").status == 200)
        let ci = try await ask("ci", "/v1/session")
        #expect(ci.status == 200 && ci.value("actor") as? String == "mtls:ci" && ci.value("role") as? String == "operator")
        #expect(try await ask("ci", "/v1/reload", "-X POST").status == 200)
        #expect(try await ask("ci", "/v1/tokens").status == 403)
        #expect(try await ask("human", "/v1/session").value("actor") as? String == "mtls:ann")
        #expect(try await ask("human", "/v1/config/server").status == 403)
        #expect(try await ask("spare", "/v1/status").status == 403)
        let forged = try await scratch.run("curl -sS --cacert ca.pem --cert forged.pem --key forged.key https://\(address)/healthz")
        #expect(forged.code != 0, "\(forged.output)")

        // The cookie belongs to the encrypted connection.
        let token = try await daemon.token("t --role viewer")
        let signedIn = try await daemon.signIn(address, "{\"token\":\"\(token)\"}", jar: "jar", "--cacert ca.pem", scheme: "https")
        #expect(signedIn.headers["set-cookie"]?.hasPrefix("__Host-plue-session=") == true)
        #expect(signedIn.headers["set-cookie"]?.contains("; Secure") == true)
        #expect(try await ask(nil, "/v1/session", "-b jar").status == 200)

        try daemon.edit(text.replacing("role = operator", with: "role = viewer"))
        try await eventually { try await daemon.status()["version"] as? Int == 2 }
        #expect(try await ask("ci", "/v1/reload", "-X POST").status == 403)
        try daemon.edit(text.replacing("tls_client_ca = \(scratch.path)/ca.pem\n", with: ""))
        try await eventually { try await daemon.status()["version"] as? Int == 3 }
        #expect(try await ask("ci", "/v1/session").status == 401)
        #expect(try await daemon.stop() == 0)
    }
}

extension RunningDaemon {
    /// One request through TCP.
    func http(_ address: String, _ path: String, _ arguments: String = "", token: String? = nil, scheme: String = "http") async throws
        -> APIAnswer
    {
        let shown = token.map { " -H 'authorization: Bearer \($0)'" } ?? ""
        return try APIAnswer(
            try await scratch.run("curl -sS -i -m 60\(shown) \(arguments) '\(scheme)://\(address)\(path)'").output)
    }

    func signIn(_ address: String, _ body: String, jar: String, _ arguments: String = "", scheme: String = "http") async throws -> APIAnswer
    {
        let file = "sign-in-\(UUID().uuidString)"
        try scratch.write(body, to: file)
        return try await http(
            address, "/v1/session", "-c \(jar) -H 'content-type: application/json' --data-binary @\(file) \(arguments)", scheme: scheme)
    }

    /// A new token.
    func token(_ wish: String) async throws -> String {
        let made = try await plue("token create \(wish)")
        #expect(made.code == 0, "\(made.output)")
        return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
