import Foundation
import PlueConfig
import PlueLedger
import Testing

@testable import PlueDaemon

/// The parts of the door that are pure.
@Suite struct AccessTests {
    private let start = Date(timeIntervalSince1970: 1_800_000_000)

    @Test func `A token has one spelling, and a slip in it is told without a look at any other`() throws {
        let token = AccessToken()
        #expect(AccessToken(token.text)?.digest == token.digest)
        #expect(AccessToken().text != token.text)
        for index in token.text.indices.dropFirst(5) {
            var other = token.text
            other.replaceSubrange(index...index, with: other[index] == "A" ? "B" : "A")
            #expect(AccessToken(other) == nil, "\(index)")
        }
        for other in ["", "plue_", token.text + "=", token.text.uppercased(), " " + token.text, String(token.text.dropLast())] {
            #expect(AccessToken(other) == nil)
        }
    }

    @Test func `Failures are counted by address and forgotten in time, within a bounded number of addresses`() {
        var limit = LoginLimit()
        for _ in 0..<10 { #expect(limit.fail(from: "10.0.0.1", at: start) == nil) }
        #expect(limit.fail(from: "10.0.0.1", at: start) ?? 0 > 0)
        #expect(limit.fail(from: "10.0.0.2", at: start) == nil)
        // However long somebody goes on, a minute's rest is enough.
        for _ in 0..<10_000 { _ = limit.fail(from: "10.0.0.1", at: start) }
        #expect(limit.fail(from: "10.0.0.1", at: start.addingTimeInterval(12)) == nil)
        // Whoever has an IPv6 network has all its addresses.
        for host in 0..<10 { #expect(limit.fail(from: "2001:db8::\(host)", at: start) == nil) }
        #expect(limit.fail(from: "2001:db8::ffff", at: start) != nil)
        #expect(limit.fail(from: "2001:db8:0:1::1", at: start) == nil)
        for host in 0..<20_000 { _ = limit.fail(from: "172.\(host / 65536).\(host / 256 % 256).\(host % 256)", at: start) }
        #expect(limit.ahead.count <= 4096)
    }

    @Test func `However many knock, few entries are written, and none is forgotten`() {
        var tally = AccessTally()
        var written = 0
        var counted = 0
        var time = start
        for minute in 0..<300 {
            for knock in 0..<1000 {
                let event = AccessEvent(.failedLogin, actor: "tcp", address: "10.0.\(minute % 200).\(knock % 250)", call: "")
                if let event = tally.add(event, at: time) { (written, counted) = (written + 1, counted + event.times) }
            }
            time.addTimeInterval(60)
            for event in tally.take(at: time) { (written, counted) = (written + 1, counted + event.times) }
        }
        for event in tally.take(at: time, isLast: true) { (written, counted) = (written + 1, counted + event.times) }
        #expect(counted == 300_000)
        #expect(written <= 400, "\(written)")
    }

    @Test func `A session ends an hour after its last use, eight hours after its beginning, and with what it came of`() throws {
        let sessions = Sessions()
        let grant = Grant(expires: start.addingTimeInterval(10 * 3600))
        let owner = Requester(actor: "token:a", role: .operator, scope: SectionScope(["app"]), method: .token, grant: grant)
        let (secret, first) = sessions.open(for: owner, at: start)
        #expect(first.actor == "token:a" && first.role == .operator && first.scope == owner.scope && first.method == .session)
        #expect(sessions.requester(showing: secret, from: "", at: start.addingTimeInterval(3599)) != nil)
        #expect(sessions.requester(showing: secret, from: "", at: start.addingTimeInterval(3599 + 3601)) == nil)
        let (long, _) = sessions.open(for: owner, at: start)
        for half in 1...15 {
            #expect(sessions.requester(showing: long, from: "", at: start.addingTimeInterval(Double(half) * 1800)) != nil)
        }
        #expect(sessions.requester(showing: long, from: "", at: start.addingTimeInterval(8 * 3600)) == nil)
        let (another, requester) = sessions.open(for: owner, at: start)
        grant.end()
        #expect(!requester.grant.isGood(at: start))
        #expect(sessions.requester(showing: another, from: "", at: start) == nil)
    }

    @Test func `Sessions are bounded, and one owner's do not drive out another's`() {
        let sessions = Sessions()
        let mine = Requester(actor: "token:mine", role: .viewer, method: .token)
        let other = Requester(actor: "token:other", role: .viewer, method: .token)
        let (secret, _) = sessions.open(for: mine, at: start)
        var opened: [String] = []
        for index in 0..<60 { opened.append(sessions.open(for: other, at: start.addingTimeInterval(Double(index))).secret) }
        let now = start.addingTimeInterval(61)
        #expect(sessions.requester(showing: secret, from: "", at: now) != nil)
        #expect(opened.filter { sessions.requester(showing: $0, from: "", at: now) != nil }.count == 50)
        #expect(sessions.requester(showing: opened[0], from: "", at: now) == nil)
    }

    @Test func `A console code is good once and for a minute`() {
        let codes = ConsoleCodes()
        let owner = Requester(actor: "unix:0", role: .admin, method: .socket)
        let code = codes.issue(for: owner, at: start)
        #expect(codes.redeem("no" + code, at: start) == nil)
        #expect(codes.redeem(code, at: start.addingTimeInterval(59))?.actor == "unix:0")
        #expect(codes.redeem(code, at: start.addingTimeInterval(59)) == nil)
        let late = codes.issue(for: owner, at: start)
        #expect(codes.redeem(late, at: start.addingTimeInterval(60)) == nil)
    }

    @Test func `A grant tells once that it ends, also to who asks late, and not to who does not want to know any more`() {
        let parent = Grant()
        let grant = Grant(from: parent)
        let ended = Counter()
        _ = grant.onEnd { ended.add(1) }
        let forget = grant.onEnd { ended.add(100) }
        forget()
        parent.end()
        #expect(ended.value == 1 && !grant.isGood)
        _ = parent.onEnd { ended.add(10) }
        #expect(ended.value == 11)
    }

    @Test func `A section is covered with what is in it, and with nothing that only begins like it`() {
        let scope = SectionScope(["app", "daemon.proxy"])
        for (section, isCovered) in [
            ("app", true), ("app.sub", true), ("apple", false), ("daemon", false), ("daemon.proxy", true), ("daemon.proxy2", false),
            ("", false),
        ] {
            #expect(scope.covers(section: section) == isCovered, "\(section)")
        }
        #expect(SectionScope([]).covers(section: "app") == false)
        #expect(SectionScope.everything.covers(section: "app"))
    }
}

private final class Counter: @unchecked Sendable {
    // Each test has its own, and uses it from one thread.
    private(set) var value = 0
    func add(_ number: Int) { value += number }
}
