import Foundation
import TestGround
import Testing

/// The HTTP API through the daemon's socket, with a real client.
@Suite struct APITests {
    static let quiet = "[server]\nhost = 127.0.0.1\nport = 0\n"

    /// A daemon with an application's own settings of every kind.
    private func daemon(_ text: String = quiet, keyring: Bool = false, _ variables: [String: String] = [:]) async throws -> RunningDaemon {
        let scratch = try Scratch()
        try scratch.write(
            """
            {"additionalProperties":false,"properties":{"app":{"additionalProperties":false,"properties":{
            "name":{"type":"string"},"flag":{"type":"boolean"},"count":{"type":"integer"},"ratio":{"type":"number"},
            "list":{"type":"array","items":{"type":"string"}},"numbers":{"type":"array","items":{"type":"integer"}},
            "level":{"enum":["low","high"]},"time":{"type":"string","format":"plue-duration"},"pin":{"type":"string","writeOnly":true},
            "pins":{"type":"array","items":{"type":"string"},"writeOnly":true},
            "sub":{"additionalProperties":false,"properties":{"deep":{"type":"string"}}}}},
            "labels":{"additionalProperties":{"type":"string"}}}}
            """, to: "config/schema.json")
        if keyring {
            let made = try await scratch.run("mkdir -p config && plue secret keygen --config-dir config --state-dir state")
            #expect(made.code == 0, "\(made.output)")
        }
        return try await RunningDaemon(text, in: scratch, variables)
    }

    private func canonical(_ value: Any?) -> String {
        (try? JSONSerialization.data(withJSONObject: value ?? NSNull(), options: [.sortedKeys, .fragmentsAllowed])).map {
            String(decoding: $0, as: UTF8.self)
        } ?? ""
    }

    // MARK: - Patches

    @Test func `A merge patch writes values of every type so that they read back the same, comments and order kept`() async throws {
        let daemon = try await daemon("# mine\n[server]\nhost = 127.0.0.1 ; no comment\nport = 0\n".replacing(" ; no comment", with: ""))
        let values =
            #"{"name":"a \"b\" ${HOME} # c; d\n\\","flag":true,"count":-5,"ratio":1.5,"list":["a, b","","c"],"numbers":[1,2],"level":"high","time":"1h30m","sub":{"deep":" spaced "}}"#
        let answer = try await daemon.patch(
            "{\"app\":\(values),\"labels\":{\"x-1\":\"0\"},\"server\":{\"max_connections\":7}}", ifMatch: "\"v1\"")
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.headers["etag"] == "\"v2\"")
        #expect(answer.value("version") as? Int == 2)
        #expect(daemon.document.hasPrefix("# mine\n[server]\nhost = 127.0.0.1\nport = 0\nmax_connections = 7\n\n[app]\n"))

        let app = try #require(try await daemon.get("/v1/config").value("values.app") as? [String: Any])
        let sent = try #require(try JSONSerialization.jsonObject(with: Data(values.utf8)) as? [String: Any])
        for (name, value) in sent { #expect(canonical(app[name]) == canonical(value), "\(name)") }
        #expect(try await daemon.get("/v1/config/labels/x-1").value("value") as? String == "0")
        // The one that was read is the one on disk.
        #expect(try await daemon.plue("reload").output.contains("nothing changed"))
    }

    @Test func `An answer that is sent back changes nothing, secrets included, and a secret that changed meanwhile is a conflict`()
        async throws
    {
        let daemon = try await daemon(Self.quiet + "[app]\npin = ${KEY}\n", ["KEY": "one"])
        let document = daemon.document
        let values = canonical(try await daemon.get("/v1/config").value("values"))
        #expect(values.contains("\"fingerprint\":\"hmac:"))
        let answer = try await daemon.patch(values)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(answer.value("changed") as? [String] == [])
        #expect(answer.value("version") as? Int == 1)
        #expect(daemon.document == document)

        let other = try await daemon.patch(#"{"app":{"pin":{"secret":true,"set":true,"fingerprint":"hmac:0000000000000000"}}}"#)
        #expect(other.status == 409, "\(other.body)")
    }

    @Test func `null deletes a key's line or a section with all that is in it, and what is no setting is refused with a hint`() async throws
    {
        let daemon = try await daemon(Self.quiet + "debug = true\n[app]\nname = x\n[app.sub]\ndeep = y\n[labels]\na = 1\n")
        let answer = try await daemon.patch(#"{"server":{"debug":null},"app":null,"labels":{"a":null,"b":null}}"#)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(daemon.document == Self.quiet + "[labels]\n")
        for patch in [#"{"server":{"prot":null}}"#, #"{"servr":null}"#, #"{"server":{"prot":1}}"#] {
            let refused = try await daemon.patch(patch)
            #expect(refused.status == 422 && refused.body.contains("did you mean"), "\(refused.body)")
        }
        for patch in [#"{"server":5}"#, #"{"server":{"a.b":1}}"#, #"{"server":{"port":"8080"}}"#, #"{"server":{"port":{"x":1}}}"#] {
            #expect(try await daemon.patch(patch).status == 422, "\(patch)")
        }
        #expect(try await daemon.status()["version"] as? Int == 2)
    }

    @Test func `A JSON Patch is one transaction, and a test that fails leaves everything as it was`() async throws {
        let daemon = try await daemon(Self.quiet + "max_connections = 7\n[app]\nlist = a, b\n[labels]\na = 1\nb = 2\n")
        let patch = #"""
            [{"op":"test","path":"/server/max_connections","value":7},{"op":"replace","path":"/server/max_connections","value":8},
             {"op":"add","path":"/app/list/1","value":"x"},{"op":"move","from":"/labels/a","path":"/labels/c"},
             {"op":"copy","from":"/labels/b","path":"/app/name"},{"op":"remove","path":"/labels/b"}]
            """#
        let dry = try await daemon.patch(patch, as: RunningDaemon.jsonPatch, ifMatch: nil, "?dryRun=true")
        #expect(dry.status == 200 && (dry.value("changes") as? [Any])?.count == 6, "\(dry.body)")
        #expect(try await daemon.status()["version"] as? Int == 1)
        let answer = try await daemon.patch(patch, as: RunningDaemon.jsonPatch)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(
            daemon.document == Self.quiet + "max_connections = 8\n[app]\nlist = a, x, b\nname = 2\n[labels]\nc = 1\n", "\(daemon.document)")

        let document = daemon.document
        let failing = try await daemon.patch(patch, as: RunningDaemon.jsonPatch)
        #expect(failing.status == 409 && failing.body.contains("operation 0"), "\(failing.body)")
        let gone = try await daemon.patch(#"[{"op":"remove","path":"/labels/b"}]"#, as: RunningDaemon.jsonPatch)
        #expect(gone.status == 409)
        #expect(try await daemon.patch(#"[{"op":"remove","path":"/labels"}]"#, as: RunningDaemon.jsonPatch).status == 200)
        #expect(!daemon.document.contains("[labels]"))
        for malformed in [
            "{}", "[1]", #"[{"op":"jump","path":""}]"#, #"[{"op":"add","path":"x","value":1}]"#, #"[{"op":"add","path":"/x"}]"#,
        ] {
            #expect(try await daemon.patch(malformed, as: RunningDaemon.jsonPatch).status == 400, "\(malformed)")
        }
        #expect(document != daemon.document)
    }

    @Test func `A secret in plain text is encrypted when there is a keyring and refused when there is none`() async throws {
        let canary = "canary-\(UUID().uuidString)"
        let patch = "{\"app\":{\"pin\":\"\(canary)\",\"pins\":[\"\(canary)\",\"b\"]},\"security\":{\"jwt_secret\":\"\(canary)\"}}"
        let without = try await daemon()
        let refused = try await without.patch(patch)
        #expect(refused.status == 422 && refused.body.contains("no keyring") && !refused.body.contains(canary), "\(refused.body)")

        let daemon = try await daemon(keyring: true)
        let answer = try await daemon.patch(patch)
        #expect(answer.status == 200, "\(answer.body)")
        #expect(daemon.document.split(separator: "\n").count { $0.contains(" = enc:v1:k") } == 3)
        #expect(!daemon.document.contains(canary))
        #expect(try await daemon.call("POST", "/v1/reveal/app/pin").value("value") as? String == canary)
        #expect(try await daemon.call("POST", "/v1/reveal/app/pins").value("value") as? [String] == [canary, "b"])
        // The same again is no change: an encrypted value is not made anew.
        let document = daemon.document
        #expect(try await daemon.patch(patch).value("changed") as? [String] == [])
        #expect(daemon.document == document)
    }

    // MARK: - Documents

    @Test func `Documents come and go as they are written, byte order mark and line ends kept`() async throws {
        let daemon = try await daemon()
        let text = "\u{FEFF}[logging]\r\nlevel = debug\r\n"
        let put = try await daemon.call(
            "PUT", "/v1/documents/development.d/10-x.ini", text, as: "text/plain; charset=utf-8", ifMatch: "\"v1\"")
        #expect(put.status == 200, "\(put.body)")
        #expect(FileManager.default.contents(atPath: daemon.scratch.path + "/config/development.d/10-x.ini") == Data(text.utf8))
        let raw = try await daemon.scratch.run(
            "curl -sS --unix-socket state/plue.sock http://plue/v1/documents/development.d%2F10-x.ini | od -An -tx1")
        #expect(raw.output.contains("ef bb bf 5b") && raw.output.contains("0d 0a"))
        let got = try await daemon.get("/v1/documents/development.d/10-x.ini")
        #expect(got.headers["etag"] == "\"v2\"" && got.headers["content-type"] == "text/plain; charset=utf-8")
        #expect(try await daemon.get("/v1/documents/development.d/10-x.ini", "if-none-match: \"v1\", W/\"v2\"").status == 304)
        let list = try await daemon.get("/v1/documents").value("documents") as? [[String: Any]]
        #expect(list?.compactMap { $0["name"] as? String } == ["development.ini", "development.d/10-x.ini"])

        #expect(try await daemon.call("PUT", "/v1/documents/development.ini", "", as: "text/plain", ifMatch: "*").status == 400)
        #expect(try await daemon.call("PUT", "/v1/documents/development.ini", "x = 1", as: "application/json", ifMatch: "*").status == 415)
        #expect(try await daemon.call("PUT", "/v1/documents/development.ini", "x = 1", as: "text/plain").status == 428)
        let broken = try await daemon.call("PUT", "/v1/documents/development.ini", "[server\n", as: "text/plain", ifMatch: "*")
        #expect(broken.status == 422 && broken.body.contains("\"line\":1"), "\(broken.body)")
        for name in ["nothing.ini", "../base.ini", "%2e%2e/base.ini", "other.ini", "development.d/../x.ini", "%ff"] {
            #expect(try await daemon.get("/v1/documents/\(name)").status == 404, "\(name)")
            let put = try await daemon.call("PUT", "/v1/documents/\(name)", "[a]\n", as: "text/plain", ifMatch: "*", headers: ["x: y"])
            #expect([404, 422].contains(put.status), "\(name) \(put.status)")
        }
        let large = String(repeating: "#", count: 17 * 1_048_576)
        #expect(try await daemon.call("PUT", "/v1/documents/development.ini", large, as: "text/plain", ifMatch: "*").status == 413)

        #expect(try await daemon.call("DELETE", "/v1/documents/development.d/10-x.ini", ifMatch: "\"v1\"").status == 412)
        #expect(try await daemon.call("DELETE", "/v1/documents/development.d/10-x.ini", ifMatch: "\"v2\"").status == 200)
        #expect(!FileManager.default.fileExists(atPath: daemon.scratch.path + "/config/development.d/10-x.ini"))
        #expect(try await daemon.call("DELETE", "/v1/documents/development.d/10-x.ini", ifMatch: "*").status == 404)
        #expect(daemon.document == Self.quiet)
    }

    @Test func `Check and plan take a patch, edits, documents or nothing, and touch nothing`() async throws {
        let daemon = try await daemon()
        let candidates = [
            (#"{"server":{"port":99999}}"#, RunningDaemon.mergePatch),
            (#"[{"op":"replace","path":"/server/port","value":99999}]"#, RunningDaemon.jsonPatch),
            (#"{"edits":[{"set":"server.port","to":"99999"}]}"#, "application/vnd.plue.edits+json"),
            (#"{"documents":{"development.ini":"[server]\nport = 99999\n"}}"#, "application/json"),
        ]
        for (body, type) in candidates {
            let check = try await daemon.call("POST", "/v1/check", body, as: type)
            #expect(
                check.status == 200 && check.value("valid") as? Bool == false && check.body.contains("\"code\":\"range\""), "\(check.body)")
            #expect(try await daemon.call("POST", "/v1/plan", body, as: type).status == 422)
            let valid = body.replacing("99999", with: "0").replacing("\\n\"", with: "\\ndebug = true\\n\"")
            #expect(try await daemon.call("POST", "/v1/check", valid, as: type).value("valid") as? Bool == true)
            #expect(try await daemon.call("POST", "/v1/plan", valid, as: type).status == 200)
        }
        try daemon.edit(Self.quiet + "nonsense = 1\n")
        let files = try await daemon.call("POST", "/v1/check")
        #expect(files.value("valid") as? Bool == false && files.body.contains("unknown-key"), "\(files.body)")
        #expect(try await daemon.status()["version"] as? Int == 1)
    }

    // MARK: - Conditions

    @Test func `Each refusal has the status of the contract, as a problem, and changes nothing`() async throws {
        let daemon = try await daemon()
        let patch = #"{"server":{"debug":true}}"#
        func expect(_ status: Int, _ answer: APIAnswer) {
            #expect(answer.status == status, "\(answer.body)")
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(answer.value("status") as? Int == status)
        }
        for body in ["", "{", "[]", "nul", #"{"server":{},"server":{}}"#, "\u{0}"] { expect(400, try await daemon.patch(body)) }
        for tag in ["v1", "\"1\"", "\"v01\"", "\"v1\", \"v2\"", "W/\"v1\""] { expect(400, try await daemon.patch(patch, ifMatch: tag)) }
        for query in [
            "?dryrun=true", "?dryRun=yes", "?dryRun", "?dryRun=true&dryRun=false", "?confirmWithin=soon", "?confirmWithin=9d",
            "?reason=%0a",
        ] {
            expect(400, try await daemon.patch(patch, query))
        }
        expect(404, try await daemon.get("/v1/nothing"))
        expect(404, try await daemon.get("/v1/config/server/prot"))
        expect(404, try await daemon.get("/v1/versions/99"))
        expect(404, try await daemon.get("/v1/versions/x"))
        expect(404, try await daemon.call("POST", "/v1/rollback", #"{"version":99}"#, as: "application/json", ifMatch: "*"))
        let method = try await daemon.call("POST", "/v1/config", patch, as: RunningDaemon.mergePatch)
        expect(405, method)
        #expect(method.headers["allow"] == "GET, HEAD, PATCH, OPTIONS")
        expect(405, try await daemon.call("TRACE", "/v1/versions/1/diff/2"))
        expect(409, try await daemon.call("POST", "/v1/confirm"))
        let stale = try await daemon.patch(patch, ifMatch: "\"v7\"")
        expect(412, stale)
        #expect(stale.value("version") as? Int == 1)
        expect(412, try await daemon.patch(patch, ifMatch: "\"v7\"", "?dryRun=true"))
        expect(415, try await daemon.patch(patch, as: "application/json"))
        expect(415, try await daemon.patch(patch, as: RunningDaemon.mergePatch + "; charset=latin1"))
        expect(
            415,
            try await daemon.call(
                "PATCH", "/v1/config", patch, as: RunningDaemon.mergePatch, ifMatch: "*", headers: ["content-encoding: gzip"]))
        let invalid = try await daemon.patch(#"{"server":{"port":99999,"max_connections":0},"logging":{"level":"loud"}}"#)
        expect(422, invalid)
        #expect((invalid.value("errors") as? [Any])?.count == 3, "\(invalid.body)")
        expect(428, try await daemon.patch(patch, ifMatch: nil))
        // An address that this machine does not have: the service refuses, and all is as before.
        let refused = try await daemon.patch(#"{"server":{"host":"203.0.113.1"}}"#)
        expect(500, refused)
        #expect(refused.value("rolledBack") as? Bool == true && refused.value("service") as? String == "http", "\(refused.body)")
        #expect(daemon.document == Self.quiet)
        #expect(try await daemon.status()["version"] as? Int == 1)
    }

    @Test func `An Idempotency-Key gives the same answer to the same request, and is not another's`() async throws {
        let daemon = try await daemon()
        func toggle(_ value: String, _ key: String) async throws -> APIAnswer {
            try await daemon.call(
                "PATCH", "/v1/config", "{\"server\":{\"debug\":\(value)}}", as: RunningDaemon.mergePatch, ifMatch: "*",
                headers: ["idempotency-key: \(key)"])
        }
        let first = try await toggle("true", "a-1")
        #expect(first.value("version") as? Int == 2 && first.headers["idempotent-replayed"] == nil)
        #expect(try await toggle("false", "a-2").value("version") as? Int == 3)
        let again = try await toggle("true", "a-1")
        #expect(again.body == first.body && again.headers["idempotent-replayed"] == "true" && again.headers["etag"] == "\"v2\"")
        #expect(try await toggle("false", "a-1").status == 422)
        #expect(try await toggle("true", "spaced key").status == 400)
        #expect(try await daemon.status()["version"] as? Int == 3)
    }

    @Test func `A change may wait to be confirmed, be rolled back, and say beforehand what that would do`() async throws {
        let daemon = try await daemon()
        let answer = try await daemon.patch(#"{"server":{"max_connections":7}}"#, "?confirmWithin=60s&reason=try%20it")
        #expect(answer.value("confirm.fallback") as? Int == 1, "\(answer.body)")
        #expect(try await daemon.patch(#"{"server":{"debug":true}}"#).status == 409)
        #expect(try await daemon.call("POST", "/v1/confirm", ifMatch: "\"v1\"").status == 412)
        #expect(try await daemon.call("POST", "/v1/confirm").value("version") as? Int == 2)
        let dry = try await daemon.call("POST", "/v1/rollback?dryRun=true", #"{"version":1}"#, as: "application/json")
        #expect(dry.status == 200 && dry.body.contains("server.max_connections"), "\(dry.body)")
        let back = try await daemon.call("POST", "/v1/rollback", #"{"version":1}"#, as: "application/json", ifMatch: "\"v2\"")
        #expect(back.value("version") as? Int == 3)
        #expect(daemon.document == Self.quiet)
        #expect(try await daemon.call("POST", "/v1/rollback", #"{"version":"1"}"#, as: "application/json", ifMatch: "*").status == 400)
        #expect(try await daemon.call("POST", "/v1/rollback", #"{"version":1}"#, as: "text/plain", ifMatch: "*").status == 415)
    }

    // MARK: - Looking

    @Test func `The history and the audit log are answered page by page, with the difference between two versions`() async throws {
        let daemon = try await daemon()
        for number in 2...4 { #expect(try await daemon.patch("{\"server\":{\"max_connections\":\(number)}}").status == 200) }
        #expect(try await daemon.patch(#"{"server":{"port":99999}}"#).status == 422)
        let page = try await daemon.get("/v1/versions?limit=2")
        let numbers = { (page: APIAnswer) in (page.value("entries") as? [[String: Any]])?.compactMap { $0["version"] as? Int } ?? [] }
        #expect(numbers(page) == [4, 3])
        let next = try #require(page.value("next") as? Int)
        #expect(numbers(try await daemon.get("/v1/versions?limit=2&before=\(next)")) == [2, 1])
        #expect((try await daemon.get("/v1/versions?rejected=true").value("entries") as? [Any])?.count == 5)
        let diff = try await daemon.get("/v1/versions/2/diff/4")
        #expect(diff.body.contains(#""key":"server.max_connections","old":2,"new":4"#), "\(diff.body)")
        let version = try await daemon.get("/v1/versions/2")
        #expect(version.value("parent") as? Int == 1 && (version.value("documents") as? [Any])?.count == 1, "\(version.body)")

        var (after, seen) = (0, [Int]())
        while true {
            let page = try await daemon.get("/v1/audit?after=\(after)&limit=3")
            seen += (page.value("entries") as? [[String: Any]])?.compactMap { $0["seq"] as? Int } ?? []
            guard let next = page.value("next") as? Int else { break }
            after = next
        }
        #expect(seen == Array(1...seen.count) && seen.count >= 9, "\(seen)")
        let newest = try await daemon.get("/v1/audit?limit=1")
        #expect((newest.value("entries") as? [[String: Any]])?.first?["seq"] as? Int == seen.last)
        let key = try await daemon.get("/v1/audit?key=server.max_connections&after=0")
        #expect((key.value("entries") as? [Any])?.count == 6, "\(key.body)")
        #expect((try await daemon.get("/v1/audit?actor=nobody").value("entries") as? [Any])?.isEmpty == true)
        #expect(try await daemon.get("/v1/audit/verify").value("verdict") as? String == "intact")
        for query in ["limit=0", "limit=1001", "limit=x", "after=-1", "since=1h"] {
            #expect(try await daemon.get("/v1/audit?\(query)").status == 400, "\(query)")
        }
    }

    @Test func `A tag saves the body, HEAD gives the head and OPTIONS the methods`() async throws {
        let daemon = try await daemon()
        for path in ["/v1/config", "/v1/config/server/port", "/v1/documents", "/v1/schema", "/openapi.json"] {
            let answer = try await daemon.get(path)
            let tag = try #require(answer.headers["etag"])
            let same = try await daemon.get(path, "if-none-match: \(tag)")
            #expect(same.status == 304 && same.body.isEmpty && same.headers["etag"] == tag)
            #expect(try await daemon.get(path, "if-none-match: \"other\"").status == 200)
            let head = try await daemon.call("HEAD", path)
            #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] == String(answer.body.utf8.count), "\(path)")
        }
        let options = try await daemon.call("OPTIONS", "/v1/documents/x.ini")
        #expect(options.status == 204 && options.headers["allow"] == "DELETE, GET, HEAD, PUT, OPTIONS")
        #expect(try await daemon.call("HEAD", "/v1/events").headers["content-type"] == "text/event-stream")
        // What is cached is the version that runs.
        #expect(try await daemon.get("/v1/config/server/debug").value("value") as? Bool == false)
        #expect(try await daemon.patch(#"{"server":{"debug":true}}"#).status == 200)
        #expect(try await daemon.get("/v1/config/server/debug").value("value") as? Bool == true)
        #expect(try await daemon.get("/v1/config", "if-none-match: \"v1\"").status == 200)
    }

    @Test func `A question that is asked again on a connection is answered anew as soon as the answer is another, or the right has ended`()
        async throws
    {
        let daemon = try await daemon()
        let address = try #require(try await daemon.address())
        let created = try await daemon.plue("token create reader --role viewer --format json").output
        let token = try #require((try JSONSerialization.jsonObject(with: Data(created.utf8)) as? [String: Any])?["token"] as? String)
        // One connection that asks the same all the time, and says what is another answer than before.
        async let told = daemon.scratch.run(
            """
            python3 -c 'import http.client, time
            c, last, deadline = http.client.HTTPConnection("\(address)"), None, time.time() + 60
            while time.time() < deadline:
                c.request("GET", "/v1/config/server/max_connections", headers={"Authorization": "Bearer \(token)"})
                r = c.getresponse(); body = r.read().decode()
                answer = (r.status, r.getheader("ETag"), body)
                if answer != last: print(r.status, r.getheader("ETag"), body.split(chr(34) + "secret")[0], flush=True)
                last = answer
                open("asked", "a").write(".")
                if r.status != 200: break' > told
            """)
        func asked() -> Int { (try? daemon.scratch.read("asked"))?.count ?? 0 }
        for number in 2...4 {
            let before = asked()
            try await eventually { asked() > before + 50 }
            #expect(try await daemon.patch("{\"server\":{\"max_connections\":\(1000 + number)}}").status == 200)
            try await eventually { (try? daemon.scratch.read("told"))?.contains("\"value\":\(1000 + number),") == true }
        }
        // What is known does not overtake what is still worked on.
        let order = try await daemon.scratch.run(
            """
            python3 -c 'import socket
            host, port = "\(address)".split(":"); s = socket.create_connection((host, int(port))); f = s.makefile("rb")
            def ask(path): return f"GET {path} HTTP/1.1\\r\\nHost: {host}\\r\\nAuthorization: Bearer \(token)\\r\\n\\r\\n".encode()
            def answer():
                length = 0
                while (line := f.readline().strip()):
                    if line.lower().startswith(b"content-length:"): length = int(line.split(b":")[1])
                return f.read(length)
            known, slow = ask("/v1/config/server/port"), ask("/v1/versions/1")
            for _ in range(20):
                s.sendall(known); assert b"server.port" in answer()
                s.sendall(slow + known + slow + known)
                assert [b"parent" in answer() for _ in range(4)] == [True, False, True, False]
            print("in order")'
            """)
        #expect(order.output == "in order\n", "\(order.output)")
        #expect(try await daemon.plue("token revoke reader").code == 0)
        _ = try await told
        let lines = try daemon.scratch.read("told").split(separator: "\n")
        #expect(lines.map { $0.prefix(8) } == ["200 \"v1\"", "200 \"v2\"", "200 \"v3\"", "200 \"v4\"", "401 None"], "\(lines)")
    }

    @Test func `Metrics say how things stand, and no value of a setting`() async throws {
        let daemon = try await daemon(Self.quiet + "[app]\nname = canary-in-a-name\n")
        #expect(try await daemon.patch(#"{"server":{"debug":true},"labels":{"canary-key":"canary-value"}}"#).status == 200)
        #expect(try await daemon.patch(#"{"server":{"port":99999}}"#).status == 422)
        let answer = try await daemon.get("/metrics")
        #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        for line in [
            "plue_version{environment=\"development\"} 2", "plue_last_reload_success 0", "plue_drift 0", "plue_pending_restart 0",
            "plue_reloads_total{result=\"committed\",trigger=\"api\"} 1", "plue_reloads_total{result=\"rejected\",trigger=\"api\"} 1",
            "plue_phase_seconds_count{phase=\"validate\"} ",
            "plue_service_phase_seconds_bucket{phase=\"prepare\",service=\"http\",le=\"+Inf\"} ",
            "# TYPE plue_phase_seconds histogram", "# TYPE plue_reloads_total counter", "plue_draining_connections 0",
        ] { #expect(answer.body.contains("\n" + line), "\(line) in \(answer.body)") }
        #expect(!answer.body.contains("canary"))
        try daemon.edit(Self.quiet + "nonsense = 1\n")
        try await eventually { try await daemon.get("/metrics").body.contains("\nplue_drift 1\n") }
        #expect(try await daemon.get("/metrics").body.contains("plue_change_detected_total{by=\"inotify\"} "))
    }
}
