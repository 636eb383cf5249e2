//! spec: client-server §Send-to-Device messaging

use ruma::api::client::to_device::send_event_to_device::v3::{Request, Response};

use super::{Incoming, Routes};
use crate::{Result, Services};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(send_to_device);
}

/// `PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}`
async fn send_to_device(services: &Services, request: Incoming<Request>) -> Result<Response> {
    let (sender, asked) = (&request.auth, &request.request);
    let event_type = asked.event_type.to_string();
    services.users.send_to_device(sender, &asked.txn_id, &event_type, &asked.messages).await?;
    Ok(Response::new())
}
