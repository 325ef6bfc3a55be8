import Foundation
import TestGround
import Testing

/// Changes that take two.
@Suite struct ApprovalTests {
    private static let text =
        "[server]\nhost = 127.0.0.1\nport = 0\n[security]\nrequire_approval = true\napproval_sections = app\n[app]\nname = x\n"

    private func daemon() async throws -> RunningDaemon {
        let scratch = try Scratch()
        try scratch.write(#"{"properties":{"app":{"properties":{"name":{"type":"string"}}}}}"#, to: "config/schema.json")
        return try await RunningDaemon(Self.text, in: scratch)
    }

    @Test func `One asks, another approves exactly that, and both are on record`() async throws {
        let daemon = try await daemon()
        let first = try await daemon.token("first --role operator")
        let viewer = try await daemon.token("viewer --role viewer")
        let held = try await daemon.plue("apply --set app.name=y --reason please --confirm-within 60s", "PLUE_TOKEN=\(first) ")
        #expect(held.code == 75 && held.output.contains("proposal 1 waits for 'plue approve 1'"), "\(held.output)")
        #expect(try await daemon.plue("show app.name").output.hasSuffix("x\n"))
        #expect(daemon.document == Self.text)
        let shown = try await daemon.get("/v1/proposals/1")
        let hash = try #require(shown.value("hash") as? String)
        #expect(shown.value("actor") as? String == "token:first")
        #expect(shown.body.contains(#""old":"x","new":"y""#))
        func approve(_ hash: String, _ headers: String...) async throws -> APIAnswer {
            try await daemon.call("POST", "/v1/proposals/1/approve", "{\"hash\":\"\(hash)\"}", as: "application/json", headers: headers)
        }
        #expect(try await approve(hash, "authorization: Bearer \(first)").status == 403)
        #expect(try await approve(hash, "authorization: Bearer \(viewer)").status == 403)
        #expect(try await approve("sha256:00").status == 409)
        #expect(try await daemon.plue("approve 1 --hash sha256:00").code == 75)
        #expect(try await daemon.status()["version"] as? Int == 1)
        #expect(try await approve(hash).status == 200)
        #expect(try await daemon.status()["version"] as? Int == 2)
        // What was asked for with it counts as well.
        #expect(try await daemon.status()["state"] as? String == "awaiting-confirm")
        #expect(try await daemon.plue("confirm").code == 0)
        #expect(daemon.document == Self.text.replacing("name = x", with: "name = y"))
        #expect(try await daemon.get("/v1/proposals").body.contains("[]"))
        #expect(try await daemon.plue("history").output.contains("token:first"))
        let log = try await daemon.plue("audit log --format json").output
        for words in [#""proposal""#, #""approval""#, #""approver""#, "unix:\(getuid())", "token:first"] {
            #expect(log.contains(words), "\(words)")
        }
        #expect(try await daemon.plue("audit verify").code == 0)
        #expect(try await daemon.stop() == 0)
    }

    @Test func `What moved meanwhile is not approved, what one made for oneself does not count, and what is withdrawn is gone`()
        async throws
    {
        let daemon = try await daemon()
        let second = try await daemon.token("second --role operator")
        #expect(try await daemon.plue("apply --set app.name=y --reason one").code == 75)
        #expect(try await daemon.plue("approve 1").code == 77)
        let late = try await daemon.token("late --role operator")
        #expect(try await daemon.plue("approve 1", "PLUE_TOKEN=\(late) ").code == 77)
        // Another section takes nobody's approval.
        #expect(try await daemon.plue("apply --set server.max_connections=9 --reason alone").code == 0)
        #expect(try await daemon.status()["version"] as? Int == 2)
        let stale = try await daemon.plue("approve 1", "PLUE_TOKEN=\(second) ")
        #expect(stale.code == 75 && stale.output.contains("version 2 runs, not version 1"), "\(stale.output)")
        #expect(try await daemon.plue("proposals --withdraw 1", "PLUE_TOKEN=\(second) ").code == 77)
        #expect(try await daemon.plue("proposals --withdraw 1").code == 0)
        #expect(try await daemon.plue("approve 1", "PLUE_TOKEN=\(second) ").code == 1)
        #expect(try await daemon.plue("show app.name").output.hasSuffix("x\n"))
        // A rollback takes two as well, and so does it to need nobody any more.
        #expect(try await daemon.plue("apply --set app.name=z --reason two").code == 75)
        #expect(try await daemon.plue("approve 2", "PLUE_TOKEN=\(second) ").code == 0)
        #expect(try await daemon.plue("rollback 1 --reason back").output.contains("nothing is changed yet"))
        #expect(try await daemon.plue("apply --set security.require_approval=false --reason off").output.contains("nothing is changed yet"))
        #expect(
            try await daemon.plue("apply --set security.approval_sections=other --reason off").output.contains("nothing is changed yet"))
        #expect(try await daemon.plue("approve 3", "PLUE_TOKEN=\(second) ").code == 0)
        #expect(try await daemon.plue("show app.name").output.hasSuffix("x\n"))
        #expect(try await daemon.plue("audit verify").code == 0)
        #expect(try await daemon.stop() == 0)
    }

    @Test func `A file that is saved goes around nobody, while the daemon runs or at its next start, but can be asked for`() async throws {
        let daemon = try await daemon()
        let second = try await daemon.token("second --role operator")
        let edited = Self.text.replacing("name = x", with: "name = file").replacing(
            "require_approval = true", with: "require_approval = false")
        try daemon.edit(edited)
        try await eventually { try await daemon.status()["state"] as? String == "rejected" }
        #expect(try await daemon.plue("status").output.contains("error[needs-approval]"))
        #expect(try await daemon.plue("reload --force").code == 65)
        #expect(try await daemon.stop() == 0)
        // Nor without a daemon.
        let alone = try await daemon.plue("apply --set app.name=q --reason alone")
        #expect(alone.code == 77 && alone.output.contains("takes somebody else's approval"), "\(alone.output)")
        let again = try await RunningDaemon(in: daemon.scratch)
        #expect(try await again.status()["version"] as? Int == 1)
        #expect(try await again.status()["state"] as? String == "rejected")
        #expect(try await again.get("/v1/config/app/name").value("value") as? String == "x")
        #expect(try await again.plue("apply config/development.ini --reason 'the file'").output.contains("proposal 1 waits"))
        #expect(try await again.plue("approve 1", "PLUE_TOKEN=\(second) ").code == 0)
        #expect(try await again.get("/v1/config/app/name").value("value") as? String == "file")
        #expect(try await again.status()["state"] as? String == "running")
        #expect(daemon.document == edited)
        #expect(try await again.plue("audit verify").code == 0)
        #expect(try await again.stop() == 0)
    }
}
