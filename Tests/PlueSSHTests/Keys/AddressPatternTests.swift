import Foundation
import PlueConfig
import Testing

@testable import PlueSSH

@Suite("Where a key may come from, and until when")
struct AddressPatternTests {
    @Test(
        "addresses, networks and wildcards match what they should",
        arguments: [
            ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false), ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false), ("10.0.*", "10.0.3.4", true), ("10.0.*", "10.1.0.0", false), ("*", "::1", true),
            ("192.168.1.?", "192.168.1.7", true), ("192.168.1.?", "192.168.1.77", false), ("*.*.*.7", "1.2.3.7", true),
            ("2001:db8::/32", "2001:db8:1::9", true), ("2001:db8::/32", "10.0.0.1", false), ("fe80:*", "fe80::1", true),
            ("::1", "::1", true),
            ("2001:DB8:*", "2001:db8::1", true),
        ])
    func matches(pattern: String, address: String, isMatched: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(try #require(AddressPattern(pattern)).matches(address) == isMatched)
    }

    @Test(
        "what no address can match is no pattern",
        arguments: ["", "!", "host", "*.example.org", "10.0.0.1/33", "10.0.0.1/8", "10.0.0.0/8/9", "a b"])
    func noPattern(text: String) {
        #expect(AddressPattern(text) == nil)
    }

    @Test("one that is kept out is kept out, whatever else lets it in; a key without conditions comes from anywhere")
    func negated() throws {
        var key = AuthorizedKey(blob: "", fingerprint: "", comment: "")
        let now = Date()
        #expect(key.admits(from: nil, at: now))
        key.sources = try ["10.0.0.0/8", "!10.0.0.1"].map { try #require(AddressPattern($0)) }
        #expect(key.admits(from: IPAddress("10.0.0.2"), at: now))
        #expect(!key.admits(from: IPAddress("10.0.0.1"), at: now))
        #expect(!key.admits(from: IPAddress("11.0.0.1"), at: now))
        #expect(!key.admits(from: nil, at: now))
        key.sources = [try #require(AddressPattern("!10.0.0.1"))]
        // As in sshd: what is only kept out lets nobody in.
        #expect(!key.admits(from: IPAddress("10.0.0.2"), at: now))
    }

    @Test("a key opens nothing from its expiry on")
    func expiry() {
        var key = AuthorizedKey(blob: "", fingerprint: "", comment: "")
        let end = Date(timeIntervalSince1970: 1_000)
        key.expiry = end
        #expect(key.admits(from: nil, at: end.addingTimeInterval(-1)))
        #expect(!key.admits(from: nil, at: end))
    }

    @Test("expiry times are read as OpenSSH writes them")
    func expiryTimes() throws {
        #expect(ExpiryTime.parse("19700102Z") == Date(timeIntervalSince1970: 86_400))
        #expect(ExpiryTime.parse("197001020102Z") == Date(timeIntervalSince1970: 86_400 + 3_720))
        #expect(ExpiryTime.parse("19700102010203Z") == Date(timeIntervalSince1970: 86_400 + 3_723))
        let local = try #require(ExpiryTime.parse("20300615"))
        #expect(
            Calendar(identifier: .gregorian).dateComponents([.year, .month, .day, .hour], from: local)
                == DateComponents(year: 2030, month: 6, day: 15, hour: 0))
        for text in ["", "Z", "2030", "20301301", "20300631", "203006152", "2030061525", "203006152500", "20300615a", "-2030061"] {
            #expect(ExpiryTime.parse(text) == nil, "\(text)")
        }
    }
}
