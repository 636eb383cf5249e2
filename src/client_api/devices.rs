//! spec: client-server §Device Management

use ruma::{
    MilliSecondsSinceUnixEpoch,
    api::client::device::{
        self, delete_device, delete_devices, get_device, get_devices, update_device,
    },
};

use super::{Incoming, Routes, uia};
use crate::{Result, Services, users};

pub(super) fn routes(routes: &mut Routes) {
    routes.add(get_devices);
    routes.add(get_device);
    routes.add(update_device);
    uia::add(routes, delete_device);
    uia::add(routes, delete_devices);
}

fn shown(device: users::Device) -> device::Device {
    let mut shown = device::Device::new(device.device_id);
    shown.display_name = device.display_name;
    shown.last_seen_ts =
        device.last_seen.and_then(|seen| seen.try_into().ok()).map(MilliSecondsSinceUnixEpoch);
    shown
}

/// `GET /_matrix/client/v3/devices`
async fn get_devices(
    services: &Services,
    request: Incoming<get_devices::v3::Request>,
) -> Result<get_devices::v3::Response> {
    let devices = services.users.devices(&request.auth.user_id).await?;
    Ok(get_devices::v3::Response::new(devices.into_iter().map(shown).collect()))
}

/// `GET /_matrix/client/v3/devices/{deviceId}`
async fn get_device(
    services: &Services,
    request: Incoming<get_device::v3::Request>,
) -> Result<get_device::v3::Response> {
    let device = services.users.device(&request.auth.user_id, &request.device_id).await?;
    Ok(get_device::v3::Response::new(shown(device)))
}

/// `PUT /_matrix/client/v3/devices/{deviceId}`
async fn update_device(
    services: &Services,
    request: Incoming<update_device::v3::Request>,
) -> Result<update_device::v3::Response> {
    let user_id = &request.auth.user_id;
    match &request.display_name {
        Some(name) => {
            services.users.rename_device(user_id, &request.device_id, name.clone()).await?;
        }
        None => {
            services.users.device(user_id, &request.device_id).await?;
        }
    }
    Ok(update_device::v3::Response::new())
}

/// `DELETE /_matrix/client/v3/devices/{deviceId}`
async fn delete_device(
    services: &Services,
    request: Incoming<delete_device::v3::Request>,
) -> Result<delete_device::v3::Response> {
    let (sender, asked) = (&request.auth, &request.request);
    let device = std::slice::from_ref(&asked.device_id);
    uia::confirm(services, sender, "delete_devices", &device, asked.auth.as_ref()).await?;
    services.users.delete_devices(&sender.user_id, device).await?;
    Ok(delete_device::v3::Response::new())
}

/// `POST /_matrix/client/v3/delete_devices`
async fn delete_devices(
    services: &Services,
    request: Incoming<delete_devices::v3::Request>,
) -> Result<delete_devices::v3::Response> {
    let (sender, asked) = (&request.auth, &request.request);
    uia::confirm(services, sender, "delete_devices", &asked.devices, asked.auth.as_ref()).await?;
    services.users.delete_devices(&sender.user_id, &asked.devices).await?;
    Ok(delete_devices::v3::Response::new())
}
