import Foundation
import Synchronization

/// Codes that sign one browser in, once, within a minute: how somebody who is let in by the socket gets into the console.
final class ConsoleCodes: Sendable {
    static let lifetime: TimeInterval = 60
    /// One more takes the place of the oldest.
    private static let most = 16

    private let codes = Mutex<[(digest: [UInt8], owner: Requester, expires: Date)]>([])

    /// - Returns: What opens the console as `owner`.
    func issue(for owner: Requester, at time: Date = Date()) -> String {
        let code = RandomSecret.text(of: RandomSecret.bytes())
        codes.withLock { codes in
            codes.removeAll { $0.expires <= time }
            if codes.count >= Self.most { codes.removeFirst() }
            codes.append((RandomSecret.digest(of: code), owner, time.addingTimeInterval(Self.lifetime)))
        }
        return code
    }

    /// Who a code signs in; it is used up by that.
    func redeem(_ code: some StringProtocol, at time: Date = Date()) -> Requester? {
        let digest = RandomSecret.digest(of: code)
        return codes.withLock { codes in
            guard let index = codes.firstIndex(where: { $0.digest == digest }) else { return nil }
            let found = codes.remove(at: index)
            return found.expires > time ? found.owner : nil
        }
    }
}
